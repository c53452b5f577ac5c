"""Proves of which roster topic the keeper's records are, and reads what it was carried past."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from shared.bus.errors import BusError, BusUnavailable
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.fetch import fetch_at
from shared.bus.message import Message
from shared.bus.reading import read
from shared.events.topics import PLACE_CHANGED
from shared.security.signing import Verifier
from shared.watch.logs import get_logger

log = get_logger(__name__)

# Longer than a whole roster takes to be read.
PATIENCE_S = 600.0


class Footing:
    """Where the keeper stands, by partition; an offset that is not proven is not written down.

    A consumer asks for records by the name of the topic. Where the topic was made again and has
    grown past the offset asked for, it reads on in the new one without a word, past all that lies
    before; and what it read of the old one may be handled after. Both would have an index believe
    in changes it never saw. So the first records of a partition, and the first after the identity
    changed, are held against what the topic has there now.
    """

    def __init__(self, bus: Bus, *, verifier: Verifier | None) -> None:
        self._bus = bus
        self._verifier = verifier
        self._proven: dict[int, str] = {}

    async def topic_id(self) -> str:
        """Return the roster topic's identity; empty where there is none.

        Asked for at every batch, after it was read, at 2 ms of some 20: an identity of before
        would pass records of a topic made again off as those of the lost one.

        Raises:
            BusUnavailable: no broker answered.
        """
        try:
            return await self._bus.topic_id(PLACE_CHANGED)
        except BusUnavailable:
            raise
        except BusError:
            return ""

    def stands(self, partition: int, *, topic_id: str) -> bool:
        """Tell whether a partition's records have been proven to be this topic's."""
        return topic_id != "" and self._proven.get(partition) == topic_id

    async def prove(self, first: Message, *, topic_id: str) -> bool:
        """Hold a record against what the topic of this identity has at its offset; say if it is it.

        Those read after it are then of this topic too.

        Raises:
            BusUnavailable: no broker answered.
        """
        if not topic_id or await self.topic_id() != topic_id:
            return False
        place = (first.partition, first.offset)
        there = (await fetch_at(self._bus, PLACE_CHANGED, [place])).get(place)
        same = there is not None and read(PLACE_CHANGED, there, self._verifier) == first
        # The same identity before and after: the record compared with is of this very topic.
        if not same or await self.topic_id() != topic_id:
            log.warning("roster.of_another_topic", partition=first.partition, offset=first.offset)
            return False
        return True

    def stand(self, partition: int, *, topic_id: str) -> None:
        """Note that a partition's records are this topic's and nothing before them is missing."""
        self._proven[partition] = topic_id

    async def ends(self) -> Mapping[int, int]:
        """Return per partition the offset the next record will have.

        Raises:
            BusError: nobody knows.
        """
        return await self._bus.end_offsets(PLACE_CHANGED)

    async def passed_over(
        self, partition: int, *, first: int, until: int
    ) -> AsyncIterator[Sequence[Message]]:
        """Yield a partition's records from one offset, or the oldest there is, up to another.

        Raises:
            BusError: they cannot be read; try again.
        """
        oldest = (await self._bus.beginning_offsets(PLACE_CHANGED)).get(partition, until)
        start = max(oldest, first)
        if start >= until:
            return
        ends = await self._bus.end_offsets(PLACE_CHANGED)
        tail = await self._bus.tail(
            PLACE_CHANGED, from_offsets=ends | {partition: start}, verifier=self._verifier
        )
        async with asyncio.timeout(PATIENCE_S), tail:
            while tail.positions()[partition] < until:
                async for batch in tail.poll():
                    mine = batch.partition == partition
                    missed = [one for one in batch.messages if mine and one.offset < until]
                    if missed:
                        yield missed
