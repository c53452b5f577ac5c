"""Approved alerts on the real bus, and when a real replica's audience of them is there."""

import asyncio
import statistics
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.places.areas import Area
from services.geofence.areas.area import normalise
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.producer import Producer
from shared.events.alert import AlertApproved, AlertEnded
from shared.events.audience import AudienceCompleted
from shared.events.envelope import decode, encode
from shared.events.topics import AUDIENCE_COMPLETED, AUDIENCE_RESOLVED
from shared.security.keys import KeyRing

TIMES = 5
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Resolved:
    """Medians over some alerts for one area: seconds to the first chunk, and ids a second."""

    first_s: float
    ids_a_second: float
    members: int


def resolve(area: Area, environment: Mapping[str, str]) -> Resolved:
    """Approve the same area some times over, one alert after the other, and hear its audience.

    Raises:
        TimeoutError: an audience is not complete within two minutes.
    """
    return asyncio.run(_resolve(area, environment))


async def _resolve(area: Area, environment: Mapping[str, str]) -> Resolved:
    ring = KeyRing.load(environment["CTALERT_DISPATCHER_KEYRING"])
    bus = Bus(environment["CTALERT_KAFKA_BOOTSTRAP"], client_id="bench")
    try:
        async with bus.producer() as producer, bus.reader() as reader:
            places = [
                TopicPartition(bus.topic_name(topic), partition)
                for topic in (AUDIENCE_RESOLVED, AUDIENCE_COMPLETED)
                for partition in await bus.partitions(topic)
            ]
            reader.assign(places)
            await reader.seek_to_end(*places)
            hearing = _Hearing(reader, bus.topic_name(AUDIENCE_COMPLETED), ring)
            # The first is not counted: it finds connections to be made and pages to be read.
            runs = [await _once(area, producer, hearing, ring) for _ in range(TIMES + 1)][1:]
    finally:
        await bus.close()
    return Resolved(
        statistics.median(first for first, _, _ in runs),
        statistics.median(members / last for _, last, members in runs),
        runs[-1][2],
    )


async def _once(
    area: Area, producer: Producer, hearing: "_Hearing", ring: KeyRing
) -> tuple[float, float, int]:
    """Return seconds to the first chunk and to the end, and the members."""
    packed, now = normalise([area.geometry]), datetime.now(UTC)
    alert = AlertApproved(
        alert_id=uuid.uuid4(),
        version=1,
        status="Actual",
        severity="Severe",
        emergency=True,
        area_wkb=packed.packed,
        area_digest=packed.digest,
        approved_at=now,
        expires_at=now + timedelta(hours=1),
    )
    outgoing = encode(alert, producer="dispatcher", signer=ring.signer, now=now)
    async with asyncio.timeout(PATIENCE_S):
        began = time.perf_counter()
        await producer.send(outgoing)
        first, last, completed = await hearing.audience()
    ended = AlertEnded(alert_id=alert.alert_id, version=1, reason="cancelled", ended_at=now)
    await producer.send(encode(ended, producer="dispatcher", signer=ring.signer, now=now))
    return first - began, last - began, completed.members


class _Hearing:
    """Reads the audience topics as they come, unpacking nothing but the end of a run."""

    def __init__(self, reader: AIOKafkaConsumer, completed: str, ring: KeyRing) -> None:
        self._reader = reader
        self._completed = completed
        self._ring = ring

    async def audience(self) -> tuple[float, float, AudienceCompleted]:
        """Return when the first chunk and when the end was heard, and the end."""
        first = 0.0
        while True:
            heard = await self._reader.getmany(timeout_ms=1_000)
            now = time.perf_counter()
            for place, records in heard.items():
                if place.topic != self._completed:
                    first = first or now
                    continue
                _, event = decode(AUDIENCE_COMPLETED, records[0].value, self._ring.verifier)
                if not isinstance(event, AudienceCompleted):
                    raise RuntimeError("the end of a run is no end of a run")
                return first or now, now, event
