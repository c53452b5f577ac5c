"""The index in memory: takes changes in at once, sorts them in now and then, hands out views."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from services.geofence.index.change import Change
from services.geofence.index.columns import (
    Ordinals,
    Places,
    Sorted,
    longer,
    merge,
    no_places,
    sort_places,
)
from services.geofence.index.grid import Grid, state_grid
from services.geofence.index.intake.entries import Entry, columns_of, entry_of, newest
from services.geofence.index.intake.fresh import Fresh
from services.geofence.index.people import ID, Everybody, People, Roll, enrol
from services.geofence.index.view import View

# Places not yet sorted in, at the least and as a share of all: sorting in 100,000 costs as much
# as copying 3.6 million, and until then they cost a query 2 ms.
ENOUGH_TO_MERGE = 20_000
SHARE_TO_MERGE = 32


class LiveIndex:
    """All places of all residents; used from one thread, but for views and merges."""

    def __init__(self, roll: Roll, places: Places, *, grid: Grid | None = None) -> None:
        self._begin(People(enrol(roll)), sort_places(grid or state_grid(), places))

    @classmethod
    def of(cls, everybody: Everybody, places: Sorted) -> "LiveIndex":
        """Make an index of people and their places sorted before."""
        index = cls.__new__(cls)
        index._begin(People(everybody), places)
        return index

    def _begin(self, people: People, places: Sorted) -> None:
        self._people = people
        self._sorted = places
        self._fresh = Fresh()
        self._stale: NDArray[np.bool_] = np.zeros(len(people.ids), np.bool_)
        self._changed = 0
        self._during_merge: list[Ordinals] | None = None
        self._merged_rows = 0
        self._view: View | None = None
        self._lineage = object()

    def __len__(self) -> int:
        return self._people.count

    def apply(self, changes: Sequence[Change]) -> int:
        """Take changes in, newest version wins; return how many people they changed."""
        return self.take([entry_of(change) for change in changes])

    def take(self, entries: Sequence[Entry]) -> int:
        """Take entries in, newest version wins; return how many people they changed."""
        people = self._people
        columns = columns_of(entries, people.languages)
        person = people.ordinals(columns.ids)
        last = newest(person, columns.versions)
        newer = last[columns.versions[last] > people.versions[person[last]]]
        if not newer.size:
            return 0
        who = person[newer]
        people.write(who, columns.versions[newer], columns.traits[newer])
        self._let_go(who)
        spots, counts = columns.places_of(newer)
        self._fresh.add(spots, np.repeat(who, counts))
        if self._during_merge is not None:
            self._during_merge.append(who)
        self._view = None
        return int(newer.size)

    def view(self) -> View:
        """Return the state as it is now."""
        if self._view is None:
            people = self._people
            self._view = View(
                lineage=self._lineage,
                places=self._sorted,
                stale=self._stale[: people.count],
                changed=self._changed > 0,
                pending=self._fresh.freeze(self._sorted.grid),
                ids=people.ids.view(ID).reshape(-1),
                traits=people.traits,
                languages=people.languages.tags,
            )
        return self._view

    @property
    def has_changes(self) -> bool:
        """Whether any changes wait to be sorted in."""
        return self._changed > 0

    @property
    def wants_merge(self) -> bool:
        """Whether so many changes wait that sorting them in pays."""
        enough = max(ENOUGH_TO_MERGE, len(self._sorted) // SHARE_TO_MERGE)
        waiting = max(self._fresh.count, self._changed)
        return self._during_merge is None and waiting >= enough

    def begin_merge(self) -> Callable[[], Sorted]:
        """Return the work of sorting changes in, to be run in a thread; then call end_merge."""
        self._during_merge = []
        self._merged_rows = self._fresh.count
        view = self.view()
        if not view.changed:
            return lambda: view.places
        return lambda: merge(view.places, view.pending.sort(), gone=view.stale)

    def begin_copy(self) -> Callable[[], tuple[Everybody, Sorted]]:
        """Return the work of copying the index as it is now, to be run in a thread.

        It is a merge too: then call end_merge with the places.
        """
        everybody = self._people.as_they_are()
        work = self.begin_merge()
        return lambda: (everybody, work())

    def end_merge(self, merged: Sorted) -> None:
        """Put the sorted columns in place; what changed meanwhile stays on top of them."""
        later = np.concatenate([np.empty(0, np.int32), *(self._during_merge or [])])
        self._during_merge = None
        self._sorted = merged
        self._fresh = self._fresh.since(self._merged_rows)
        self._stale = np.zeros(len(self._people.ids), np.bool_)
        self._stale[later] = True
        self._changed = int(np.count_nonzero(self._stale))
        self._view = None

    def _let_go(self, who: Ordinals) -> None:
        """Let neither the sorted nor the fresh places of people count any more."""
        stale = self._own_stale()
        again = who[stale[who]]
        if again.size:
            marks = self._people.marks
            marks[again] = True
            self._fresh.kill(marks)
            marks[again] = False
        stale[who] = True
        self._changed += who.size - again.size

    def _own_stale(self) -> NDArray[np.bool_]:
        """Return what says whose sorted places no longer count, as our own to write to."""
        if len(self._stale) < len(self._people.ids):
            self._stale = longer(self._stale, len(self._people.ids))
        elif self._view is not None:
            # A view has it and must not see it change.
            self._stale = self._stale.copy()
        return self._stale


def empty_index() -> LiveIndex:
    """Return an index of nobody."""
    roll = Roll(np.empty(0, ID), np.empty(0, np.int64), np.empty(0, np.uint8))
    return LiveIndex(roll, no_places())
