"""Keeps the place tables for one process: whatever the topic does, nothing of it is missed."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from services.geofence.audience import store
from services.geofence.audience.footing import Footing
from services.geofence.audience.keep_places import keep_places
from services.geofence.audience.late_joiners import Areas
from shared.bus.errors import BusError, passes
from shared.bus.message import Message
from shared.bus.outbox import Outbox
from shared.db.session import Database
from shared.events.envelope import Poison
from shared.watch.logs import get_logger

log = get_logger(__name__)

LOOK_ROUND_S = 5.0


class Keeper:
    """Hands records to keep_places, before them those the consumer was carried past.

    As a part it looks round now and then for records that no consumer will ever come to: in a
    topic made again that has grown just as far as the lost one was read, it waits for the next.
    """

    name = "places-look-round"

    def __init__(
        self,
        *,
        database: Database,
        outbox: Outbox,
        footing: Footing,
        look_round_s: float = LOOK_ROUND_S,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._footing = footing
        self._look_round_s = look_round_s
        self._areas = Areas()
        self._behind: dict[int, tuple[str, int, int]] = {}
        self._looked: dict[int, tuple[str, int, int]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look round until told to stop."""
        while not stop.is_set():
            try:
                await self._look_round()
            except Exception as error:
                if not isinstance(error, BusError) and not passes(error):
                    raise
                log.info("roster.not_looked_round", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._look_round_s)

    async def keep(self, messages: Sequence[Message]) -> None:
        """Keep what some records of one partition say.

        Raises:
            Poison: a null record whose key is no resident.
        """
        topic_id = await self._footing.topic_id()
        certain = await self._stands(messages, topic_id=topic_id)
        await self._keep(messages, topic_id=topic_id, certain=certain)

    async def _stands(self, messages: Sequence[Message], *, topic_id: str) -> bool:
        """Say if records are of this topic, after keeping what lies before them."""
        partition = messages[0].partition
        if self._footing.stands(partition, topic_id=topic_id):
            return True
        if not await self._footing.prove(messages[0], topic_id=topic_id):
            return False
        kept = (await self._kept(topic_id)).get(partition, 0)
        await self._catch_up(partition, topic_id=topic_id, first=kept, until=messages[0].offset)
        self._footing.stand(partition, topic_id=topic_id)
        return True

    async def _look_round(self) -> None:
        """Catch up where twice in a row a partition has more than was kept, and nothing moves.

        Once for each end: what lies behind the last record may be nothing but markers.
        """
        topic_id = await self._footing.topic_id()
        if not topic_id:
            return
        kept, before = await self._kept(topic_id), self._behind
        ends = await self._footing.ends()
        self._behind = {
            partition: (topic_id, kept.get(partition, 0), end)
            for partition, end in ends.items()
            if kept.get(partition, 0) < end
        }
        for partition, place in self._behind.items():
            if before.get(partition) == place != self._looked.get(partition):
                _, first, until = place
                await self._catch_up(partition, topic_id=topic_id, first=first, until=until)
                self._looked[partition] = place

    async def _catch_up(self, partition: int, *, topic_id: str, first: int, until: int) -> None:
        async for missed in self._footing.passed_over(partition, first=first, until=until):
            log.warning("roster.passed_over", partition=partition, records=len(missed))
            # Read by the name alone, they may be of a topic that was made again meanwhile.
            if await self._footing.topic_id() != topic_id:
                return
            await self._keep_each(missed, topic_id=topic_id)

    async def _kept(self, topic_id: str) -> Mapping[int, int]:
        async with self._database.transaction() as tx:
            return await store.kept_offsets(tx, topic_id=topic_id)

    async def _keep_each(self, messages: Sequence[Message], *, topic_id: str) -> None:
        try:
            await self._keep(messages, topic_id=topic_id, certain=True)
        except Poison as error:
            if len(messages) == 1:
                # The consumer makes dead letters of its own records; this is none of them.
                log.error("roster.unreadable", offset=messages[0].offset, reason=error.reason)
                return
            for message in messages:
                await self._keep_each([message], topic_id=topic_id)

    async def _keep(self, messages: Sequence[Message], *, topic_id: str, certain: bool) -> None:
        async with self._database.transaction() as tx:
            await keep_places(
                tx,
                messages,
                topic_id=topic_id,
                certain=certain,
                areas=self._areas,
                outbox=self._outbox,
            )
