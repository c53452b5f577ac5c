"""What is still covered by an unread record, and reading without a group."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer

from shared.bus.errors import OffsetsLost
from shared.bus.kafka import Bus
from shared.bus.kafka.tail import Batch
from shared.bus.sweep import published_before
from shared.bus.worker import Worker
from shared.events.topics import RECEIPT_RECEIVED, delivery_topic
from tests.contract.bus.conftest import Desk, delivery, receipt, running, sealed
from tests.waiting import until

SMS = delivery_topic("sms", "routine")


def _now() -> datetime:
    return datetime.now(UTC)


async def _send_at(bus: Bus, moments: dict[int, datetime], partition: int = 0) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bus.bootstrap)
    await producer.start()
    try:
        for n, at in moments.items():
            record = sealed(delivery(n, priority="routine"))
            await producer.send_and_wait(
                bus.topic_name(SMS), record.value, record.key, partition=partition,
                timestamp_ms=int(at.timestamp() * 1000),
            )  # fmt: skip
    finally:
        await producer.stop()


async def _read_everything(bus: Bus) -> None:
    desk = Desk()
    async with running(Worker(name="test", bus=bus, group="sms", handlers={SMS: desk})):

        async def committed() -> bool:
            return await bus.committed(SMS, "sms") == await bus.end_offsets(SMS)

        await until(committed)


async def test_only_rows_older_than_every_unread_record_may_be_swept(bus: Bus) -> None:
    asked_at = _now()
    assert await published_before(bus, SMS, "sms", asked_at=asked_at) == asked_at
    old, new = asked_at - timedelta(minutes=30), asked_at - timedelta(minutes=10)
    await _send_at(bus, {1: old, 2: new})
    await _send_at(bus, {3: asked_at - timedelta(minutes=5)}, partition=1)
    found = await published_before(bus, SMS, "sms", asked_at=asked_at)
    assert abs(found - old) < timedelta(milliseconds=2)
    await _read_everything(bus)
    assert await published_before(bus, SMS, "sms", asked_at=asked_at) == asked_at
    await _send_at(bus, {4: new})
    found = await published_before(bus, SMS, "sms", asked_at=asked_at)
    assert abs(found - new) < timedelta(milliseconds=2)


@pytest.mark.shows("F16")
async def test_a_topic_that_lost_its_offsets_covers_nothing(bus: Bus) -> None:
    await _send_at(bus, {n: _now() for n in range(5)})
    await _read_everything(bus)
    await bus.delete_topics([SMS])

    async def made() -> bool:
        try:
            await bus.create_topics([SMS])
            return set((await bus.end_offsets(SMS)).values()) == {0}
        except Exception:
            return False

    await until(made)
    asked_at = _now()
    assert await published_before(bus, SMS, "sms", asked_at=asked_at) == asked_at
    # What lies there now is unread, wherever the group stood in the topic that is gone.
    later = asked_at + timedelta(minutes=1)
    await _send_at(bus, {1: asked_at})
    found = await published_before(bus, SMS, "sms", asked_at=later)
    assert abs(found - asked_at) < timedelta(milliseconds=2)


async def test_markers_of_transactions_are_no_unread_records(bus: Bus) -> None:
    async with bus.producer(transactional_id="t") as producer:
        await producer.send_many([sealed(delivery(n, priority="routine")) for n in range(4)])
    await _read_everything(bus)
    asked_at = _now()
    assert await published_before(bus, SMS, "sms", asked_at=asked_at) == asked_at
    assert await bus.lag(SMS, "sms") == 0


async def test_a_tail_follows_from_where_it_is_told_and_knows_where_it_is(bus: Bus) -> None:
    async with bus.producer(transactional_id="t") as producer:
        await producer.send_many([sealed(receipt(n)) for n in range(100)])
        half = await bus.end_offsets(RECEIPT_RECEIVED)
        await producer.send_many([sealed(receipt(n)) for n in range(100, 200)])
        ends = await bus.end_offsets(RECEIPT_RECEIVED)
        tail = await bus.tail(RECEIPT_RECEIVED, from_offsets=half)
        async with tail:
            batches = await _follow(tail, ends)
            seen = [int(m.event.delivery_id) for b in batches for m in b.messages]  # type: ignore[union-attr]
            assert sorted(seen) == list(range(100, 200))
            await producer.send_many([sealed(receipt(200))])
            ends = await bus.end_offsets(RECEIPT_RECEIVED)
            (batch,) = await _follow(tail, ends)
            assert len(batch.messages) == 1
            assert batch.next_offset == batch.messages[0].offset + 1


async def _follow(tail: object, ends: dict[int, int]) -> list[Batch]:
    batches: list[Batch] = []
    async with asyncio.timeout(20):
        while any(tail.positions()[one] < end for one, end in ends.items()):  # type: ignore[attr-defined]
            batches += [batch async for batch in tail.poll()]  # type: ignore[attr-defined]
    return batches


async def test_a_tail_that_starts_out_of_range_says_so(bus: Bus) -> None:
    tail = await bus.tail(RECEIPT_RECEIVED, from_offsets={0: 1_000})
    async with tail:
        with pytest.raises(OffsetsLost) as lost:
            await _follow(tail, {0: 2_000})
    assert lost.value.partitions == {0}


async def test_a_tail_passes_what_it_cannot_read(bus: Bus) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bus.bootstrap)
    await producer.start()
    try:
        name = bus.topic_name(RECEIPT_RECEIVED)
        await producer.send_and_wait(name, b"poison", b"k", partition=0)
        good = sealed(receipt(1))
        await producer.send_and_wait(name, good.value, good.key, partition=0)
    finally:
        await producer.stop()
    ends = await bus.end_offsets(RECEIPT_RECEIVED)
    tail = await bus.tail(RECEIPT_RECEIVED)
    async with tail:
        batches = await _follow(tail, ends)
    assert [len(batch.messages) for batch in batches] == [1]
