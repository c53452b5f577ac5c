"""Three brokers, replication 3, two must agree: one is killed, then two, and nothing is lost."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from ctalert.embedded.cluster import Cluster
from shared.bus.errors import BusUnavailable
from shared.bus.kafka import Bus
from shared.bus.worker import Worker
from shared.events.topics import RECEIPT_RECEIVED, dead
from tests.contract.bus.conftest import Desk, receipt, running, sealed

TOPICS = (RECEIPT_RECEIVED, dead(RECEIPT_RECEIVED))


@pytest.fixture(scope="module", autouse=True)
async def _ends_seen(kafka_cluster: Cluster) -> AsyncIterator[None]:
    """End the brokers while the loop still runs, so that it sees every connection end.

    aiokafka 0.14 now and then forgets one it was making while a broker died.
    """
    yield
    await asyncio.to_thread(kafka_cluster.stop_all)
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def cluster_bus(kafka_cluster: Cluster) -> AsyncIterator[Bus]:
    """A bus on three brokers."""
    bus = Bus(
        kafka_cluster.bootstrap,
        namespace=f"t{uuid.uuid4().hex[:8]}",
        replication=3,
        partitions=6,
        timeout_s=8.0,
    )
    await bus.create_topics(TOPICS)
    yield bus
    await bus.close()


class _Sender:
    """Sends in batches until told to stop; what failed is sent again, as every caller does."""

    def __init__(self, bus: Bus) -> None:
        self.sent = 0
        self.failures = 0
        self._bus = bus

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop."""
        async with self._bus.producer(timeout_s=8.0) as producer:
            while not stop.is_set():
                batch = [sealed(receipt(n)) for n in range(self.sent, self.sent + 50)]
                try:
                    await producer.send_many(batch)
                except BusUnavailable:
                    self.failures += 1
                    continue
                self.sent += 50


def _seen(desk: Desk) -> set[int]:
    return {int(one.event.delivery_id) for one in desk.seen}  # type: ignore[union-attr]


@pytest.mark.shows("F10")
async def test_a_broker_is_killed_and_nothing_acknowledged_is_lost(
    kafka_cluster: Cluster, cluster_bus: Bus
) -> None:
    desk, sender = Desk(), _Sender(cluster_bus)
    worker = Worker(name="test", bus=cluster_bus, group="g", handlers={RECEIPT_RECEIVED: desk})
    async with running(worker):
        async with running(sender):
            await desk.until(lambda one: len(one.seen) > 500)
            await asyncio.to_thread(kafka_cluster.kill, 1)
            at_kill = len(desk.seen)
            # G9 and F10: no stall above 15 s, with some allowance for a loaded machine.
            await desk.until(lambda one: len(one.seen) > at_kill + 1_000, seconds=25)
            await asyncio.to_thread(kafka_cluster.start, 1)
        await desk.until(lambda one: _seen(one) >= set(range(sender.sent)), seconds=60)


async def test_with_two_brokers_down_nothing_is_acknowledged_and_all_goes_on_after(
    kafka_cluster: Cluster, cluster_bus: Bus
) -> None:
    desk, sender = Desk(), _Sender(cluster_bus)
    worker = Worker(name="test", bus=cluster_bus, group="g", handlers={RECEIPT_RECEIVED: desk})
    async with running(worker):
        async with running(sender):
            await desk.until(lambda one: len(one.seen) > 200)
            for node in (2, 3):
                await asyncio.to_thread(kafka_cluster.kill, node)
            async with asyncio.timeout(30), cluster_bus.producer(timeout_s=2.0) as other:
                with pytest.raises(BusUnavailable):
                    await other.send(sealed(receipt(10**9)))
            stood_at = sender.sent
            # Together: one alone never makes the two of three that must agree.
            await asyncio.gather(*(asyncio.to_thread(kafka_cluster.start, node) for node in (2, 3)))
            await desk.until(lambda one: len(_seen(one)) > stood_at + 500, seconds=60)
        await desk.until(lambda one: _seen(one) >= set(range(sender.sent)), seconds=60)
