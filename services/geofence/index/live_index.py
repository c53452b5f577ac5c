"""The index in memory: takes changes in at once, sorts them in now and then, hands out views."""

from collections.abc import Callable, Sequence

import numpy as np

from services.geofence.index.change import Change
from services.geofence.index.columns import Places, Sorted, no_places, sort_places
from services.geofence.index.grid import Grid, state_grid
from services.geofence.index.people import FORGOTTEN, People, Roll
from services.geofence.index.view import View

# Unsorted places a query tests one by one: 20,000 cost it 2 to 3 ms.
ENOUGH_TO_MERGE = 20_000


class LiveIndex:
    """All places of all residents; used from one thread, but for views and merges."""

    def __init__(self, roll: Roll, places: Places, *, grid: Grid | None = None) -> None:
        self._people = People(roll)
        self._sorted = sort_places(grid or state_grid(), places)
        self._fresh: dict[int, list[tuple[float, float, float]]] = {}
        self._fresh_places = 0
        self._merging: set[int] | None = None
        self._frozen: Places | None = None
        self._lineage = object()

    def __len__(self) -> int:
        return self._people.count

    def apply(self, changes: Sequence[Change]) -> int:
        """Take changes in, newest version wins; return how many were newer than what we had."""
        people = self._people
        ordinals = people.ordinals([change.subscriber_id.bytes for change in changes])
        taken = 0
        for person, change in zip(ordinals, changes, strict=True):
            version = FORGOTTEN if change.erased else change.version
            if version <= people.versions[person]:
                continue
            people.versions[person] = version
            people.reach[person] = change.channels
            people.stale[person] = True
            self._replace(person, change)
            taken += 1
        if taken:
            self._frozen = None
        return taken

    def view(self) -> View:
        """Return the state as it is now."""
        if self._frozen is None:
            self._frozen = _columns(self._fresh)
        count = self._people.count
        return View(
            lineage=self._lineage,
            places=self._sorted,
            stale=self._people.stale[:count].copy(),
            fresh=self._frozen,
            ids=self._people.ids,
            reach=self._people.reach,
        )

    @property
    def wants_merge(self) -> bool:
        """Whether so many changes wait that sorting them in pays."""
        return self._merging is None and (
            self._fresh_places >= ENOUGH_TO_MERGE or len(self._fresh) >= ENOUGH_TO_MERGE
        )

    def begin_merge(self) -> Callable[[], Sorted]:
        """Return the work of sorting changes in, to be run in a thread; then call end_merge."""
        self._merging = set()
        view = self.view()
        return lambda: view.places.without(view.stale, view.fresh)

    def end_merge(self, merged: Sorted) -> None:
        """Put the sorted columns in place; what changed meanwhile stays on top of them."""
        later = self._merging or set()
        self._merging = None
        self._sorted = merged
        self._people.stale[:] = False
        self._people.stale[list(later)] = True
        self._fresh = {one: self._fresh[one] for one in later if one in self._fresh}
        self._fresh_places = sum(map(len, self._fresh.values()))
        self._frozen = None
        self._people.sort_in()

    def _replace(self, person: int, change: Change) -> None:
        self._fresh_places -= len(self._fresh.pop(person, ()))
        if change.spots and not change.erased:
            self._fresh[person] = [
                (spot.lon, spot.lat, spot.uncertainty_m) for spot in change.spots
            ]
            self._fresh_places += len(change.spots)
        if self._merging is not None:
            self._merging.add(person)


def empty_index() -> LiveIndex:
    """Return an index of nobody."""
    roll = Roll(np.empty(0, "S16"), np.empty(0, np.int64), np.empty(0, np.uint8))
    return LiveIndex(roll, no_places())


def _columns(fresh: dict[int, list[tuple[float, float, float]]]) -> Places:
    if not fresh:
        return no_places()
    rows = np.array([spot for spots in fresh.values() for spot in spots], np.float64)
    owners = np.fromiter(fresh, np.int32, len(fresh))
    counts = np.fromiter(map(len, fresh.values()), np.int64, len(fresh))
    return Places(rows[:, 0], rows[:, 1], rows[:, 2], np.repeat(owners, counts))
