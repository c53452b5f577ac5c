"""Orders on a real broker in which a partition or a lane changes hands in the middle of things."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from shared.bus import store
from shared.bus.errors import BusError, BusUnavailable
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.fetch import fetch_from
from shared.bus.kafka.producer import Producer
from shared.bus.message import Message
from shared.bus.outbox import Outbox, replay_outbox
from shared.bus.relay import Relay
from shared.bus.worker import Worker
from shared.clock import SystemClock
from shared.db.session import Database, open_database
from shared.events.delivery import DeliveryRequested
from shared.events.envelope import Outgoing, decode, encode
from shared.events.subscriber import PlaceChanged, Reach
from shared.events.topics import PLACE_CHANGED, delivery_topic

SMS = delivery_topic("sms", "urgent")
SERVICE = "subscriber"


@pytest.fixture
async def database(fresh_database: Any) -> AsyncIterator[Database]:
    opened = open_database(fresh_database(SERVICE).app_url, application_name="test")
    yield opened
    await opened.close()


def _record(n: int) -> Outgoing:
    event = DeliveryRequested(
        delivery_id=UUID(int=n), channel="sms", priority="urgent", address_hash=f"{n:064x}"
    )
    return encode(event, producer="test", signer=None, now=datetime.now(UTC))


async def _turns(done: Any, seconds: float = 20) -> None:
    """Let everything else go on until something is so."""
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.to_thread(lambda: None)


async def test_what_a_closing_lane_dropped_is_read_by_whoever_comes_next(bus: Bus) -> None:
    """A partition is taken away while one lane is busy and another has records it never began."""
    async with bus.producer() as producer:
        await producer.send_many([_record(n) for n in range(40)])
    gates = {0: asyncio.Event(), 1: asyncio.Event()}
    seen: set[tuple[int, int]] = set()

    async def slow(messages: Sequence[Message]) -> None:
        await gates[messages[0].partition].wait()
        seen.update((one.partition, one.offset) for one in messages)

    async def quick(messages: Sequence[Message]) -> None:
        seen.update((one.partition, one.offset) for one in messages)

    def worker(name: str, handler: Any, size: int) -> Worker:
        return Worker(name=name, bus=bus, group="g", handlers={SMS: handler}, max_batch=size)

    first, stop = worker("first", slow, 1), asyncio.Event()
    running = [asyncio.create_task(first.run(stop))]
    await _turns(lambda: len(first._lanes) == 2)
    lanes = {place.partition: lane for place, lane in first._lanes.items()}
    await _turns(lambda: all(lane.waiting for lane in lanes.values()))
    running.append(asyncio.create_task(worker("second", quick, 100).run(stop)))
    await _turns(lambda: lanes[0]._closing.is_set())
    gates[0].set()
    first._markers_at = 0.0
    # The poll that was under way when the partitions were called back ends within 0.3 s.
    await _turns(lambda: first._markers_at > 0 or not first._lanes, seconds=3)
    gates[1].set()
    try:
        await _turns(lambda: len(seen) == 40)
    finally:
        stop.set()
        await asyncio.gather(*running)


class _Slow(Producer):
    """Holds a batch back before it is sent, and loses its connection meanwhile."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.held, self.go = asyncio.Event(), asyncio.Event()

    async def send_many(self, batch: Sequence[Outgoing]) -> None:
        if not self.held.is_set():
            self.held.set()
            await self.go.wait()
            assert self._client is not None
            self._drop(self._client)
        await super().send_many(batch)


class _SlowBus(Bus):
    slow: _Slow

    def producer(
        self, *, transactional_id: str | None = None, timeout_s: float | None = None
    ) -> Producer:
        self.slow = _Slow(
            bootstrap=self.bootstrap, client_id="slow", namespace=self.namespace,
            transactional_id=transactional_id and self.group_name(transactional_id),
        )  # fmt: skip
        return self.slow


def _place(version: int) -> PlaceChanged:
    reach = Reach(channels=1, language="en-US")
    return PlaceChanged(subscriber_id=UUID(int=7), version=version, places=(), reach=reach)


async def _put(database: Database, version: int) -> None:
    async with database.transaction() as tx:
        await Outbox(SERVICE, signer=None, clock=SystemClock()).put(tx, _place(version))


async def _waiting(database: Database) -> int:
    async with database.transaction() as tx:
        return await store.waiting_count(tx, SERVICE)


async def _versions(bus: Bus) -> list[int]:
    records = await fetch_from(bus, PLACE_CHANGED)
    return [decode(PLACE_CHANGED, one.value, None)[1].version for one in records]  # type: ignore[attr-defined]


@pytest.mark.shows("F07")
async def test_a_relay_that_was_replaced_does_not_connect_again_to_send_what_is_old(
    bus: Bus, database: Database, fresh_database: Any
) -> None:
    """It had read version 4 when it froze; the next leader has long published 4 and 5."""
    old_bus = _SlowBus(bus.bootstrap, namespace=bus.namespace, partitions=2)
    old = Relay(service=SERVICE, database=database, bus=old_bus, lane=1)
    new = Relay(service=SERVICE, database=database, bus=bus, lane=1)
    await _put(database, 4)
    stops = asyncio.Event(), asyncio.Event()
    tasks = [asyncio.create_task(old.run(stops[0]))]
    await asyncio.wait_for(old.wait_leads(), 20)
    await asyncio.wait_for(old_bus.slow.held.wait(), 20)
    slow = old_bus.slow
    admin = await asyncpg.connect(
        database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    await admin.close()
    tasks.append(asyncio.create_task(new.run(stops[1])))
    await asyncio.wait_for(new.wait_leads(), 20)
    await _put(database, 5)
    async with asyncio.timeout(20):
        while await _waiting(database):
            await asyncio.to_thread(lambda: None)
    stops[0].set()
    slow.go.set()
    await tasks[0]
    assert (await _versions(bus))[-1] == 5
    stops[1].set()
    await tasks[1]
    await old_bus.close()


async def test_a_fencing_producer_connects_again_only_when_it_is_told_to(bus: Bus) -> None:
    async with bus.producer(transactional_id="relay.test") as producer:
        await producer.send(_record(1))
        assert producer._client is not None
        producer._drop(producer._client)
        with pytest.raises(BusUnavailable):
            await producer.send(_record(2))
        await producer.open()
        await producer.send(_record(3))
    assert len(await fetch_from(bus, SMS)) == 2


async def test_old_rows_of_a_roster_are_not_published_over_newer_ones(database: Database) -> None:
    """A newer version may be on its way while they are marked: the roster is replayed instead."""
    async with database.transaction() as tx:
        with pytest.raises(BusError, match="replay the roster"):
            await replay_outbox(
                tx, SERVICE, topic=PLACE_CHANGED, since=datetime(2026, 1, 1, tzinfo=UTC)
            )
