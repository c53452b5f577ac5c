"""Reads single records and whole small topics once, without a group."""

from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from shared.bus.kafka.bus import Bus
from shared.events.topics import Topic


async def fetch_from(bus: Bus, topic: Topic, *, limit: int = 100_000) -> list[Any]:
    """Return the records a topic holds now, in order within each partition.

    Raises:
        BusUnavailable: no broker answered.
    """
    starts, ends = await bus.beginning_offsets(topic), await bus.end_offsets(topic)
    wanted = {one: start for one, start in starts.items() if start < ends[one]}
    records: list[Any] = []
    async with bus.reader() as consumer:
        await _seek(consumer, bus.topic_name(topic), wanted)
        while wanted and len(records) < limit:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
            for place in consumer.assignment():
                if await consumer.position(place) >= ends[place.partition]:
                    wanted.pop(place.partition, None)
    return records


async def fetch_at(
    bus: Bus, topic: Topic, places: Collection[tuple[int, int]]
) -> dict[tuple[int, int], Any]:
    """Return the records at (partition, offset); those that are gone are left out.

    Raises:
        BusUnavailable: no broker answered.
    """
    starts, ends = await bus.beginning_offsets(topic), await bus.end_offsets(topic)
    name = bus.topic_name(topic)
    found: dict[tuple[int, int], Any] = {}
    async with bus.reader() as consumer:
        for partition, offset in sorted(places):
            if not starts.get(partition, 0) <= offset < ends.get(partition, 0):
                continue
            await _seek(consumer, name, {partition: offset})
            record = await _first(consumer, TopicPartition(name, partition), ends[partition])
            if record is not None and record.offset == offset:
                found[partition, offset] = record
    return found


async def oldest_unread_ms(bus: Bus, topic: Topic, group: str) -> int | None:
    """Return when the oldest record a group has still to read was sent; None without any.

    Where the group stands outside of what the topic holds, it reads on from the oldest record.

    Raises:
        BusUnavailable: no broker answered.
    """
    committed = await bus.committed(topic, group)
    starts, ends = await bus.beginning_offsets(topic), await bus.end_offsets(topic)
    unread: dict[int, int] = {}
    for partition, end in ends.items():
        start, at = starts[partition], committed.get(partition, -1)
        at = at if start <= at <= end else start
        if at < end:
            unread[partition] = at
    if not unread:
        return None
    name = bus.topic_name(topic)
    times: list[int] = []
    async with bus.reader() as consumer:
        for partition, at in unread.items():
            await _seek(consumer, name, {partition: at})
            record = await _first(consumer, TopicPartition(name, partition), ends[partition])
            if record is not None:
                times.append(record.timestamp)
    return min(times, default=None)


async def _seek(consumer: AIOKafkaConsumer, name: str, offsets: dict[int, int]) -> None:
    consumer.assign([TopicPartition(name, partition) for partition in offsets])
    for partition, offset in offsets.items():
        consumer.seek(TopicPartition(name, partition), offset)


async def _first(consumer: AIOKafkaConsumer, place: TopicPartition, end: int) -> Any:
    """Return the next record before `end`; markers and gaps hold none."""
    try:
        while await consumer.position(place) < end:
            fetched = await consumer.getmany(place, timeout_ms=200, max_records=1)
            for record in fetched.get(place, ()):
                return record
    except OffsetOutOfRangeError:
        return None
    return None
