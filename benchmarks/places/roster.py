"""The crowd on the real roster topic, and how quickly a real replica takes it into its index."""

import asyncio
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from benchmarks.places.crowd import Crowd
from benchmarks.replica import Replica
from shared.bus.kafka.bus import Bus
from shared.events.envelope import Outgoing, encode
from shared.events.subscriber import Place, PlaceChanged, Reach
from shared.events.topics import PLACE_CHANGED

TOGETHER = 5_000
LOOK_S = 0.05
PATIENCE_S = 600.0


def publish_crowd(crowd: Crowd, bootstrap: str) -> None:
    """Send everybody in the crowd to the roster topic, an event a person."""
    began = time.perf_counter()
    asyncio.run(_send(crowd, bootstrap))
    rate = len(crowd.ids) / (time.perf_counter() - began)
    sys.stderr.write(f"{len(crowd.ids):,} people on the topic, {rate:,.0f} a second\n")


def changes_a_second(replica: Replica, changes: int) -> float:
    """Return how many records a second the index takes in, until it has all of so many.

    Raises:
        TimeoutError: it does not get there.
    """
    deadline = time.monotonic() + PATIENCE_S
    first = last = (0, 0.0)
    while last[0] < changes:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the index has taken in {last[0]} of {changes} changes")
        time.sleep(LOOK_S)
        last = (replica.indexed(), time.perf_counter())
        # The clock runs from the first look that sees any, so that connecting does not count.
        if first[0] == 0:
            first = last
    return (last[0] - first[0]) / (last[1] - first[1]) if last[0] > first[0] else 0.0


async def _send(crowd: Crowd, bootstrap: str) -> None:
    bus = Bus(bootstrap, client_id="bench")
    async with bus.producer(timeout_s=60.0) as producer:
        batch: list[Outgoing] = []
        for outgoing in _records(crowd):
            batch.append(outgoing)
            if len(batch) == TOGETHER:
                await producer.send_many(batch)
                batch = []
        await producer.send_many(batch)
    ends = await bus.end_offsets(PLACE_CHANGED)
    await bus.close()
    if sum(ends.values()) != len(crowd.ids):
        raise RuntimeError(f"{sum(ends.values())} records on the topic of {len(crowd.ids)}")


def _records(crowd: Crowd) -> Iterator[Outgoing]:
    order = np.argsort(crowd.person, kind="stable")
    ends = np.cumsum(np.bincount(crowd.person, minlength=len(crowd.ids))).tolist()
    lon, lat, metres = (
        column[order].tolist() for column in (crowd.lon, crowd.lat, crowd.uncertainty_m)
    )
    reaches = {
        (channels, spanish): Reach(channels=channels, language="es-US" if spanish else "en-US")
        for channels in range(8)
        for spanish in (False, True)
    }
    channels, spanish = crowd.channels.tolist(), crowd.spanish.tolist()
    now, begin = datetime.now(UTC), 0
    for person, end in enumerate(ends):
        event = PlaceChanged.model_construct(
            subscriber_id=UUID(bytes=crowd.ids[person].ljust(16, b"\0")),
            version=1,
            erased=False,
            places=tuple(
                Place.model_construct(
                    place_id=UUID(int=row), lon=lon[row], lat=lat[row], uncertainty_m=metres[row]
                )
                for row in range(begin, end)
            ),
            reach=reaches[channels[person], spanish[person]],
        )
        yield encode(event, producer="subscriber", signer=None, now=now)
        begin = end
