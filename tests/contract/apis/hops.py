"""The hops of an alert between the services, running, and a look at what each leaves behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from prometheus_client import REGISTRY

import services.dispatcher.service as dispatcher
import services.geofence.service as geofence
from services.dispatcher.settings import DispatcherSettings
from services.geofence.settings import GeofenceSettings
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.producer import Producer
from shared.db.session import Database, fetch, open_database
from shared.events.base import Event
from shared.events.envelope import Outgoing, encode
from shared.events.topics import AUDIENCE_COMPLETED, AUDIENCE_RESOLVED, DELIVERY, Topic, dead
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.dispatcher.delivery.stage import Stage, open_stage
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.world import AREA, INSIDE, approved, place_changed

LEFT_OUT = object()


def _counts(*tables: str) -> str:
    parts = [f"(SELECT count(*) FROM {one}) AS {one}" for one in tables]  # noqa: S608
    return f"SELECT {', '.join(parts)}"


_COUNT_FAR = _counts(*(f"dispatcher_{one}" for one in (
    "member", "delivery", "exclusion", "chunk", "run", "delivery_member",
)))  # fmt: skip
_COUNT_NEAR = _counts("geofence_live_alert", "geofence_run")


@dataclass
class Hops:
    """A geofence replica and the dispatcher's fan-out, running, and one resident to be warned."""

    bus: Bus
    producer: Producer
    keyrings: KeyRings
    stage: Stage
    near: Database
    resident: UUID
    alert_id: UUID

    async def send(self, event: Event, *, by: str, **change: Any) -> Outgoing:
        """Send an event of a service, with its record changed and signed again."""
        signer = self.keyrings.ring(by).signer if event.SIGNED else None
        record = encode(event, producer=by, signer=signer, now=datetime.now(UTC))
        if change:
            record = self._changed(record, **change)
        await self.producer.send(record)
        return record

    def _changed(
        self,
        record: Outgoing,
        *,
        data: dict[str, Any] | None = None,
        fields: dict[str, Any] | None = None,
        producer: str | None = None,
        signed_by: str | None = None,
        key: bytes | None = None,
    ) -> Outgoing:
        body = orjson.loads(record.value or b"")
        _change(body["data"], data or {})
        body["producer"] = producer or body["producer"]
        if signed_by is not None:
            signer = self.keyrings.ring(signed_by).signer
            assert signer is not None
            del body["signature"]
            body["key_id"] = signer.key_id
            body["signature"] = signer.sign(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
        _change(body, fields or {})
        return Outgoing(record.topic, key or record.key, orjson.dumps(body), record.headers)

    async def letters(self, topic: Topic) -> int:
        """Return how many dead letters a topic has."""
        return sum((await self.bus.end_offsets(dead(topic))).values())

    async def records(self, *topics: Topic) -> int:
        """Return how many records the topics hold."""
        ends = await asyncio.gather(*(self.bus.end_offsets(topic) for topic in topics))
        return sum(sum(one.values()) for one in ends)

    async def moved(self) -> dict[str, int]:
        """Count whatever a hop leaves behind when it goes on."""
        [far] = await self.stage.rows(_COUNT_FAR)
        async with self.near.transaction() as tx:
            [near] = await fetch(tx, _COUNT_NEAR)
        found = {**far, **near}
        found["sent"] = await self.records(*DELIVERY)
        return found

    async def refuses(self, event: Event, *, by: str, **change: Any) -> None:
        """Send a bad record: it becomes a dead letter and a page, and moves nothing."""
        topic, before, paged = event.topic(), await self.moved(), pages()
        heard = await self.records(AUDIENCE_RESOLVED, AUDIENCE_COMPLETED)
        letters = await self.letters(topic)
        await self.send(event, by=by, **change)

        async def is_set_aside() -> bool:
            return await self.letters(topic) > letters

        await eventually(is_set_aside)
        own = int(topic in (AUDIENCE_RESOLVED, AUDIENCE_COMPLETED))
        assert await self.records(AUDIENCE_RESOLVED, AUDIENCE_COMPLETED) == heard + own
        assert await self.moved() == before

        async def has_paged() -> bool:
            return pages() > paged

        await eventually(has_paged)


def _change(record: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if value is LEFT_OUT:
            del record[name]
        else:
            record[name] = value


def pages() -> float:
    """Return how often this process has paged."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "ctalert_pages_total"
    )


@asynccontextmanager
async def open_hops(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings, kafka: str
) -> AsyncIterator[Hops]:
    """Both services' roles as they are assembled, one resident inside AREA, one live broadcast."""
    bus = Bus(kafka, namespace=f"t{uuid4().hex[:8]}", client_id="test", partitions=2)
    await bus.create_topics()
    common: dict[str, Any] = {
        "kafka_bootstrap": kafka, "bus_namespace": bus.namespace, "topic_partitions": 2,
    }  # fmt: skip
    near, far = database("geofence").app_url, database("dispatcher").app_url
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        stage = await stack.enter_async_context(open_stage(database("dispatcher"), keyrings))
        producer = await stack.enter_async_context(bus.producer())
        opened = open_database(near, application_name="test")
        stack.push_async_callback(opened.close)
        replica = await geofence.assemble(
            "replica",
            GeofenceSettings(**common, database_url=near, keyring=keyrings.path("geofence")),
        )
        fanout = await dispatcher.assemble(
            "fanout",
            DispatcherSettings(
                **common, database_url=far, keyring=keyrings.path("dispatcher"),
                duty_address="duty@example.org",
            ),
        )  # fmt: skip
        for role in (replica, fanout):
            stack.push_async_callback(role.closing.aclose)
        hops = Hops(bus, producer, keyrings, stage, opened, uuid4(), uuid4())
        await stage.keep(stage.card(hops.resident, ("sms", "+18605550001")))
        digest = approved(area=AREA).area_digest
        await stage.broadcast(alert_id=hops.alert_id, area_digest=digest)
        await hops.send(place_changed(hops.resident, 1, INSIDE), by="subscriber")
        await stack.enter_async_context(running(*replica.parts, *fanout.parts))

        async def ready() -> bool:
            return not await replica.health.ready()

        await eventually(ready)
        yield hops
