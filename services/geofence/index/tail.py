"""Keeps the index as fresh as the roster topic: starts from the tables, then follows the topic."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from services.geofence.index.columns import Sorted
from services.geofence.index.intake.entries import Entry
from services.geofence.index.intake.read_entry import read_entry
from services.geofence.index.live_index import LiveIndex
from services.geofence.index.load_index import Loaded, load_index
from services.geofence.index.snapshots.keeper import SnapshotKeeper
from services.geofence.index.view import View
from shared.bus.errors import BusError, OffsetsLost
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.tail import Tail
from shared.db.session import Database
from shared.db.transient import is_transient
from shared.events.topics import PLACE_CHANGED
from shared.security.signing import Verifier
from shared.watch.logs import get_logger
from shared.watch.metrics import Counter, Gauge

log = get_logger(__name__)
_residents = Gauge("ctalert_index_residents", "Residents the index knows, erased ones too")
_next_offset = Gauge("ctalert_index_next_offset", "Roster offset the index has", ["partition"])
_rebuilds = Counter("ctalert_index_builds_total", "Times the index was built from the tables")

# Short, because a transaction marker alone does not end a wait.
WAIT_MS = 50
CHECK_IDENTITY_S = 5.0
RETRY_S = 0.5
# A warning waits no longer for an index that has just been loaded and is behind.
CATCH_UP_S = 10.0
# A few changes are sorted in too: as long as any wait, a count looks at whose places it counts.
SORT_IN_S = 30.0


class NotLoaded(Exception):
    """The index has not been built yet: nothing can be said about anybody."""


class NotCurrent(Exception):
    """The index is still as old as what it was loaded from: some have moved since."""


class Roster:
    """The index as queries see it, and how far along the roster topic it is.

    It is `loaded` once it answers at all, which it may do from a snapshot many hours old, and
    `current` once alerts may be resolved by it.
    """

    def __init__(self) -> None:
        self._index: LiveIndex | None = None
        self._topic_id = ""
        self._positions: dict[int, int] = {}
        self._moved = asyncio.Condition()
        self.loaded = asyncio.Event()
        self.current = asyncio.Event()

    def view(self) -> View:
        """Return the index as it is now.

        Raises:
            NotLoaded: it has not been built yet.
        """
        if self._index is None:
            raise NotLoaded
        return self._index.view()

    async def check(self) -> None:
        """Raise until alerts may be resolved by the index: for readiness.

        Raises:
            NotLoaded: it has not been built yet.
            NotCurrent: it has not caught up yet.
        """
        self.view()
        if not self.current.is_set():
            raise NotCurrent

    async def reached(
        self, offsets: Mapping[int, int], *, topic_id: str, within_s: float | None
    ) -> bool:
        """Wait until the index holds all before these offsets of this topic; say if it does."""

        def there() -> bool:
            return self._topic_id == topic_id and all(
                self._positions.get(partition, 0) >= offset for partition, offset in offsets.items()
            )

        with suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._moved:
                await self._moved.wait_for(there)
        return there()

    async def catch_up(self, offsets: Mapping[int, int], *, topic_id: str, within_s: float) -> None:
        """Call the index current when it holds all before these offsets, or the time is over."""
        if not await self.reached(offsets, topic_id=topic_id, within_s=within_s):
            log.warning("index.behind", waited_s=within_s)
        self.current.set()

    async def move(self, index: LiveIndex, topic_id: str, positions: Mapping[int, int]) -> None:
        """Tell everybody waiting how far the index is."""
        async with self._moved:
            self._index, self._topic_id = index, topic_id
            self._positions = dict(positions)
            self._moved.notify_all()
        self.loaded.set()
        _residents.set(len(index))
        for partition, offset in positions.items():
            _next_offset.labels(str(partition)).set(offset)


class RosterTail:
    """The part of a replica that feeds its index; it belongs to no consumer group."""

    name = "roster-tail"

    def __init__(
        self,
        *,
        bus: Bus,
        database: Database,
        verifier: Verifier,
        roster: Roster,
        snapshots: SnapshotKeeper | None = None,
        catch_up_s: float = CATCH_UP_S,
    ) -> None:
        self._snapshots = snapshots
        self._catch_up_s = catch_up_s
        self._catching_up: asyncio.Task[None] | None = None
        self._bus = bus
        self._database = database
        self._verifier = verifier
        self._roster = roster
        self._index: LiveIndex | None = None
        self._topic_id = ""
        self._positions: dict[int, int] = {}
        self._merging: asyncio.Task[Sorted] | None = None
        self._sorted_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the roster until told to stop; what is lost is rebuilt, what is away awaited."""
        try:
            while not stop.is_set():
                await self._try_to_follow(stop)
        finally:
            if self._catching_up is not None:
                self._catching_up.cancel()
        await self._finish_merge(wait=True)
        await self._write_last_snapshot()

    async def _try_to_follow(self, stop: asyncio.Event) -> None:
        try:
            await self._follow(stop)
        except OffsetsLost as error:
            log.error("index.offsets_lost", partitions=sorted(error.partitions))
            self._index = None
        except Exception as error:
            if not isinstance(error, BusError) and not is_transient(error):
                raise
            log.warning("index.waiting", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_S)

    async def _follow(self, stop: asyncio.Event) -> None:
        """Live through one connection; return when stopped or when the topic is another."""
        topic_id = await self._bus.topic_id(PLACE_CHANGED)
        if self._index is None or topic_id != self._topic_id:
            await self._rebuild(topic_id)
        tail = await self._bus.tail_through(
            read_entry,
            PLACE_CHANGED,
            from_offsets=self._positions,
            verifier=self._verifier,
            max_batch=2_000,
        )
        async with tail:
            check_at = asyncio.get_running_loop().time() + CHECK_IDENTITY_S
            while not stop.is_set():
                await self._take(tail)
                if asyncio.get_running_loop().time() >= check_at:
                    if await self._bus.topic_id(PLACE_CHANGED) != self._topic_id:
                        log.error("index.topic_replaced", topic=PLACE_CHANGED.name)
                        return
                    check_at = asyncio.get_running_loop().time() + CHECK_IDENTITY_S

    async def _rebuild(self, topic_id: str) -> None:
        await self._finish_merge(wait=True)
        loaded = await self._open_snapshot(topic_id)
        if loaded is None:
            async with self._database.transaction() as tx:
                loaded = await load_index(tx, topic_id=topic_id)
        first = await self._bus.beginning_offsets(PLACE_CHANGED)
        end = await self._bus.end_offsets(PLACE_CHANGED)
        # An offset that does not exist is no offset of this topic: then all of it is read.
        self._positions = {
            partition: offset
            for partition, offset in loaded.offsets.items()
            if partition in end and first[partition] <= offset <= end[partition]
        }
        self._positions = first | self._positions
        self._index, self._topic_id = loaded.index, topic_id
        _rebuilds.inc()
        await self._roster.move(self._index, self._topic_id, self._positions)
        self._catch_up(end)
        log.info("index.built", residents=len(self._index))

    def _catch_up(self, end: Mapping[int, int]) -> None:
        """Let the index be current at the end the topic has now; once, not at every rebuild."""
        if self._catching_up is None:
            self._catching_up = asyncio.create_task(
                self._roster.catch_up(end, topic_id=self._topic_id, within_s=self._catch_up_s)
            )

    async def _open_snapshot(self, topic_id: str) -> Loaded | None:
        if self._snapshots is None:
            return None
        return await asyncio.to_thread(
            self._snapshots.open,
            topic_id=topic_id,
            first=await self._bus.beginning_offsets(PLACE_CHANGED),
            end=await self._bus.end_offsets(PLACE_CHANGED),
        )

    async def _take(self, tail: Tail[Entry]) -> None:
        index = self._index
        if index is None:
            raise NotLoaded
        async for batch in tail.poll(wait_ms=WAIT_MS):
            index.take(batch.messages)
        # Nothing may be awaited between here and the beginning of a snapshot.
        moved = tail.positions() != self._positions
        self._positions = tail.positions()
        self._begin_merge(index)
        if moved:
            await self._roster.move(index, self._topic_id, self._positions)
        await self._finish_merge(wait=False)

    def _begin_merge(self, index: LiveIndex) -> None:
        """Sort in what has come or write all that there is, if it is time and nothing is done."""
        if self._merging is not None:
            return
        now = asyncio.get_running_loop().time()
        if self._snapshots is not None and self._snapshots.is_due(self._positions):
            work = self._snapshots.begin(index, topic_id=self._topic_id, offsets=self._positions)
        elif index.wants_merge or (index.has_changes and now >= self._sorted_at + SORT_IN_S):
            work = index.begin_merge()
        else:
            return
        self._sorted_at = now
        self._merging = asyncio.create_task(asyncio.to_thread(work))

    async def _finish_merge(self, *, wait: bool) -> None:
        if self._merging is None or not (wait or self._merging.done()):
            return
        merged = await self._merging
        self._merging = None
        if self._index is not None:
            self._index.end_merge(merged)

    async def _write_last_snapshot(self) -> None:
        if self._snapshots is None or self._index is None:
            return
        if self._snapshots.is_behind(self._positions):
            work = self._snapshots.begin(
                self._index, topic_id=self._topic_id, offsets=self._positions
            )
            self._index.end_merge(await asyncio.to_thread(work))
