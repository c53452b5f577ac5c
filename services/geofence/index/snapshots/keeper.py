"""Writes a replica's snapshot now and then, and gives it back at the start if it may be used."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from services.geofence.index.columns import Sorted
from services.geofence.index.grid import state_grid
from services.geofence.index.live_index import LiveIndex
from services.geofence.index.load_index import Loaded
from services.geofence.index.snapshots.columns_file import NotTrusted
from services.geofence.index.snapshots.snapshot import (
    FILE,
    OLDEST,
    Snapshot,
    read_snapshot,
    write_snapshot,
)
from shared.clock import Clock
from shared.watch.logs import get_logger
from shared.watch.metrics import Counter

log = get_logger(__name__)
_written = Counter("ctalert_index_snapshots_total", "Snapshots of the index written")
_refused = Counter("ctalert_index_snapshots_refused_total", "Snapshots not trusted", ["reason"])

EVERY = timedelta(minutes=5)


class SnapshotKeeper:
    """Knows the folder of one replica's snapshot and how old the snapshot is."""

    def __init__(self, folder: Path, *, clock: Clock, every: timedelta = EVERY) -> None:
        self._folder = folder
        self._clock = clock
        self._every = every
        self._offsets: Mapping[int, int] | None = None
        self._at: datetime | None = None

    def open(
        self, *, topic_id: str, first: Mapping[int, int], end: Mapping[int, int]
    ) -> Loaded | None:
        """Return the index of the snapshot, or nothing if it may not be used; then it is deleted.

        It may be used if it is whole and ours, of this very topic, younger than the topic keeps
        null records, and its offsets are still there to read on from.
        """
        try:
            snapshot = read_snapshot(self._folder, grid=state_grid())
            self._check(snapshot, topic_id=topic_id, first=first, end=end)
        except FileNotFoundError:
            return None
        except (NotTrusted, OSError, ValueError, KeyError, TypeError) as error:
            reason = str(error) if isinstance(error, NotTrusted) else type(error).__name__
            log.warning("index.snapshot_not_trusted", reason=reason)
            _refused.labels(reason).inc()
            self._delete()
            return None
        self._offsets, self._at = snapshot.offsets, snapshot.taken_at
        return Loaded(LiveIndex.of(snapshot.everybody, snapshot.places), dict(snapshot.offsets))

    def is_due(self, offsets: Mapping[int, int]) -> bool:
        """Say whether it is time for another snapshot, if anything came since the last one."""
        due = self._at is None or self._clock.now() - self._at >= self._every
        return due and self.is_behind(offsets)

    def is_behind(self, offsets: Mapping[int, int]) -> bool:
        """Say whether anything came since the last snapshot."""
        return self._offsets != offsets

    def begin(
        self, index: LiveIndex, *, topic_id: str, offsets: Mapping[int, int]
    ) -> Callable[[], Sorted]:
        """Return the work of writing the index as it is now, to be run in a thread.

        `offsets` are those the index reflects at this very moment. It is a merge of the index
        too and returns the places for its end_merge.
        """
        copy = index.begin_copy()
        now = self._clock.now()
        self._offsets, self._at = dict(offsets), now

        def work() -> Sorted:
            everybody, places = copy()
            try:
                write_snapshot(self._folder, Snapshot(topic_id, offsets, now, everybody, places))
            except OSError as error:
                log.error("index.snapshot_not_written", error=type(error).__name__)
                self._offsets = None
            else:
                _written.inc()
            return places

        return work

    def _check(
        self,
        snapshot: Snapshot,
        *,
        topic_id: str,
        first: Mapping[int, int],
        end: Mapping[int, int],
    ) -> None:
        if snapshot.topic_id != topic_id:
            raise NotTrusted("another-topic")
        age = self._clock.now() - snapshot.taken_at
        if not timedelta(0) <= age < OLDEST:
            raise NotTrusted("too-old" if age > timedelta(0) else "from-the-future")
        for partition, offset in snapshot.offsets.items():
            if partition not in end or not first[partition] <= offset <= end[partition]:
                raise NotTrusted("offsets-out-of-range")

    def _delete(self) -> None:
        try:
            (self._folder / FILE).unlink(missing_ok=True)
        except OSError as error:
            log.error("index.snapshot_not_deleted", error=type(error).__name__)
