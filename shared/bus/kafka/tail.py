"""Reads a topic without a group, from given offsets on: for indexes kept in memory."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from shared.bus.errors import BusUnavailable, OffsetsLost
from shared.bus.kafka.lifetimes import start_consumer, stop_consumer
from shared.events.envelope import Poison, UnknownMajor
from shared.events.topics import Topic
from shared.security.signing import Verifier
from shared.watch.logs import get_logger

log = get_logger(__name__)

M = TypeVar("M")
# Makes of a record what its reader wants to have of it; raises Poison as `read` does.
Reader: TypeAlias = Callable[[Topic, Any, Verifier | None], M]


@dataclass(frozen=True, slots=True)
class Batch(Generic[M]):
    """Some records of one partition in order; unreadable ones are left out."""

    partition: int
    messages: Sequence[M]
    next_offset: int


class Tail(Generic[M]):
    """Follows every partition of a topic; made by Bus.tail."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        *,
        reader: Reader[M],
        topic: Topic,
        name: str,
        from_offsets: Mapping[int, int],
        verifier: Verifier | None,
        max_batch: int,
    ) -> None:
        self._consumer = consumer
        self._reader = reader
        self._topic = topic
        self._name = name
        self._from = dict(from_offsets)
        self._verifier = verifier
        self._max_batch = max_batch
        self._positions = dict(from_offsets)
        self._held: set[int] = set()

    async def __aenter__(self) -> Self:
        try:
            await start_consumer(self._consumer)
        except KafkaError as error:
            await stop_consumer(self._consumer, patience_s=1.0)
            raise BusUnavailable(type(error).__name__) from error
        partitions = [TopicPartition(self._name, one) for one in sorted(self._from)]
        self._consumer.assign(partitions)
        for one in partitions:
            self._consumer.seek(one, self._from[one.partition])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await stop_consumer(self._consumer, patience_s=10.0)

    def positions(self) -> dict[int, int]:
        """Return per partition the offset up to which everything was given out and worked off.

        A batch counts as worked off when the next one is asked for.
        """
        return dict(self._positions)

    async def poll(self, *, wait_ms: int = 200) -> AsyncIterator[Batch[M]]:
        """Yield what has come, batch by batch, after waiting at most `wait_ms` for the first.

        Raises:
            OffsetsLost: the offsets to read from do not exist (deleted, or another topic).
            BusUnavailable: the connection is broken; open a new tail.
        """
        try:
            fetched = await self._consumer.getmany(timeout_ms=wait_ms, max_records=self._max_batch)
        except OffsetOutOfRangeError as error:
            raise OffsetsLost([one.partition for one in error.args[0]]) from error
        except KafkaError as error:
            raise BusUnavailable(type(error).__name__) from error
        for place, records in fetched.items():
            batch = self._batch(place.partition, records)
            if batch.messages:
                yield batch
            self._positions[place.partition] = batch.next_offset
        await self._catch_up()

    async def _catch_up(self) -> None:
        """Pass what holds no records: transaction markers, and what compaction removed."""
        for one in self._consumer.assignment():
            if one.partition not in self._held:
                self._positions[one.partition] = await self._consumer.position(one)

    def _batch(self, partition: int, records: Sequence[object]) -> Batch[M]:
        messages: list[M] = []
        for record in records:
            try:
                messages.append(self._reader(self._topic, record, self._verifier))
            except UnknownMajor as error:
                return self._hold(partition, messages, record, error)
            except Poison as error:
                # The consumer group of the same topic dead-letters it; an index only passes by.
                log.warning(
                    "bus.tail_skipped",
                    topic=self._topic.name,
                    partition=partition,
                    offset=record.offset,  # type: ignore[attr-defined]
                    reason=error.reason,
                )
        return Batch(partition, messages, records[-1].offset + 1)  # type: ignore[attr-defined]

    def _hold(
        self, partition: int, messages: list[M], record: object, error: UnknownMajor
    ) -> Batch[M]:
        place = TopicPartition(self._name, partition)
        offset: int = record.offset  # type: ignore[attr-defined]
        self._held.add(partition)
        self._consumer.seek(place, offset)
        self._consumer.pause(place)
        log.critical(
            "bus.tail_held", topic=self._topic.name, partition=partition, reason=str(error)
        )
        return Batch(partition, messages, offset)
