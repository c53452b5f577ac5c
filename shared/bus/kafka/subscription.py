"""A member of a consumer group: polls, pauses and commits, and says what it was given and lost."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from shared.bus.errors import BusUnavailable
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.lifetimes import start_consumer, stop_consumer
from shared.events.topics import Topic
from shared.watch.logs import get_logger

log = get_logger(__name__)

Place: TypeAlias = TopicPartition
Record: TypeAlias = Any
OnChange: TypeAlias = Callable[[Collection[Place]], Awaitable[None]]
OnLost: TypeAlias = Callable[[Place, str], Awaitable[None]]


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, on_assigned: OnChange, on_revoked: OnChange) -> None:
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked

    async def on_partitions_assigned(self, assigned: Collection[Place]) -> None:
        await self._on_assigned(assigned)

    async def on_partitions_revoked(self, revoked: Collection[Place]) -> None:
        await self._on_revoked(revoked)


class Subscription:
    """One connection of one member; replaced by a new one when it breaks."""

    def __init__(
        self,
        bus: Bus,
        *,
        group: str,
        topics: Sequence[Topic],
        on_assigned: OnChange,
        on_revoked: OnChange,
        on_lost: OnLost,
    ) -> None:
        self._bus = bus
        self._topics = {bus.topic_name(topic): topic for topic in topics}
        self._listener = _Listener(self._assigned, on_revoked)
        self._on_assigned = on_assigned
        self._on_lost = on_lost
        self._group = group
        self._consumer: AIOKafkaConsumer = bus.consumer(group=group)

    async def open(self) -> None:
        """Connect and ask for partitions.

        Raises:
            BusUnavailable: no broker answered.
        """
        try:
            await start_consumer(self._consumer)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise BusUnavailable(type(error).__name__) from error
        self._consumer.subscribe(list(self._topics), listener=self._listener)

    async def close(self) -> None:
        """Leave the group and disconnect."""
        await stop_consumer(self._consumer, patience_s=self._bus.timeout_s)

    def topic(self, place: Place) -> Topic:
        """Return the topic a partition belongs to."""
        return self._topics[place.topic]

    async def poll(self, *, wait_ms: int, max_records: int) -> Mapping[Place, Sequence[Record]]:
        """Return what has come; lost offsets are reported and read on from the oldest record.

        Raises:
            BusUnavailable: the connection is broken; make a new subscription.
        """
        try:
            return dict(await self._consumer.getmany(timeout_ms=wait_ms, max_records=max_records))
        except NoOffsetForPartitionError as error:
            await self._start_at_oldest(list(error.args), lost=False)
        except OffsetOutOfRangeError as error:
            await self._start_at_oldest(list(error.args[0]), lost=True)
        except KafkaError as error:
            raise BusUnavailable(f"{type(error).__name__}") from error
        return {}

    async def _assigned(self, assigned: Collection[Place]) -> None:
        await self._on_assigned(assigned)
        try:
            committed = await asyncio.gather(*(self._consumer.committed(one) for one in assigned))
            new = [one for one, at in zip(assigned, committed, strict=True) if at is None]
            if new:
                await self._start_at_oldest(new, lost=False)
        except (KafkaError, IllegalStateError, BusUnavailable) as error:
            # The poll meets the same partitions one by one.
            log.info("bus.start_put_off", group=self._group, error=type(error).__name__)

    async def _start_at_oldest(self, places: list[Place], *, lost: bool) -> None:
        try:
            starts = await self._consumer.beginning_offsets(places)
            for place in places:
                if place in self._consumer.assignment():
                    self._consumer.seek(place, starts[place])
        except (KafkaError, IllegalStateError) as error:
            raise BusUnavailable(type(error).__name__) from error
        for place in places:
            if lost:
                await self._on_lost(place, "offset out of range")
            elif starts[place]:
                await self._on_lost(place, "no offset committed and old records deleted")

    def pause(self, place: Place) -> None:
        """Fetch no more of a partition for now."""
        if place in self._consumer.assignment():
            self._consumer.pause(place)

    def resume(self, place: Place) -> None:
        """Fetch a paused partition again."""
        if place in self._consumer.assignment():
            self._consumer.resume(place)

    async def commit(self, offsets: Mapping[Place, int], *, patience_s: float) -> bool:
        """Commit next offsets; False when they were not taken (they will be delivered again)."""
        mine = {
            place: offset
            for place, offset in offsets.items()
            if place in self._consumer.assignment()
        }
        if not mine:
            return True
        try:
            async with asyncio.timeout(patience_s):
                await self._consumer.commit(mine)
        except (CommitFailedError, IllegalStateError) as error:
            # The group has moved on; whoever has the partition now reads these records again.
            log.info("bus.commit_dropped", group=self._group, error=type(error).__name__)
            return True
        except (KafkaError, TimeoutError) as error:
            log.warning("bus.commit_failed", group=self._group, error=type(error).__name__)
            return False
        return True

    async def positions(self, *, patience_s: float) -> dict[Place, int]:
        """Return per assigned partition the offset of the next fetch; unknown ones are left out."""
        found: dict[Place, int] = {}
        for place in self._consumer.assignment():
            try:
                async with asyncio.timeout(patience_s):
                    found[place] = await self._consumer.position(place)
            except (KafkaError, TimeoutError):
                continue
        return found

    async def ends(self, places: Collection[Place], *, patience_s: float) -> dict[Place, int]:
        """Return per partition the offset the next record will have.

        Raises:
            BusUnavailable: nobody could tell.
        """
        try:
            async with asyncio.timeout(patience_s):
                return dict(await self._consumer.end_offsets(list(places)))
        except (KafkaError, TimeoutError, OSError) as error:
            raise BusUnavailable(type(error).__name__) from error
