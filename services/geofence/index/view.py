"""A fixed state of the index that queries read in a thread while changes come in."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.cells.cover import Cover, cover_area
from services.geofence.index.cells.runs import BLOCK, blocks_of, sample, take_runs
from services.geofence.index.cells.second_look import (
    OutsideArea,
    look_around,
    look_at_each,
    look_at_runs,
    look_at_some,
)
from services.geofence.index.columns import Ordinals, Places, Sorted
from services.geofence.index.counting.tally import (
    Tally,
    by_channel_and_language,
    distinct,
    tally,
    without,
)
from services.geofence.index.counting.town_grid import TownGrid
from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import Ints
from services.geofence.index.intake.fresh import Pending
from services.geofence.index.near import within

__all__ = ["Block", "Count", "OutsideArea", "Spans", "View"]

T = TypeVar("T", bound=np.generic)
Look: TypeAlias = Callable[[BaseGeometry, Floats, Floats], None]

# Rows looked at once more where nobody is going to be warned by the answer.
SAMPLE = 256
# Rows of the first block: each is held against the area, and the first chunk waits for no more.
FIRST = 8_192


@dataclass(frozen=True, slots=True)
class Block:
    """People met for the first time in a query, all for the same reason."""

    people: Ordinals
    by_uncertainty: bool


@dataclass(frozen=True, slots=True)
class Spans:
    """The places in an area as rows: runs [first, last) taken whole, and rows tested one by one.

    `fresh` are rows of the places not yet sorted in; `places` says how many places all are,
    less those of people who have moved since they were sorted in.
    """

    first: Ints
    last: Ints
    rows: Ints
    fresh: Ints
    places: int

    def sorted_in(self, column: NDArray[T]) -> NDArray[T]:
        """Return what a column of the sorted places holds in the rows, runs first."""
        return np.concatenate([take_runs(column, self.first, self.last), column[self.rows]])


@dataclass(frozen=True, slots=True)
class Count:
    """How many people and places an area holds, and how many people by channel and language.

    `by_uncertainty` are those of the people who have no place inside, but one whose uncertainty
    reaches it. `by_town` counts people once in each town where they have a place inside.
    """

    people: int
    places: int
    by_uncertainty: int
    by_channel: dict[str, int]
    by_language: dict[str, int] = field(default_factory=dict)
    by_town: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """Sorted places, the people in them whose places have since changed, and the changed ones.

    Views of one index have the same `lineage`; only then do ordinals mean the same people.
    """

    lineage: object
    places: Sorted
    stale: NDArray[np.bool_]
    changed: bool
    pending: Pending
    ids: NDArray[np.bytes_]
    traits: NDArray[np.uint16]
    languages: Sequence[str]

    def packed_ids(self, people: Ordinals) -> bytes:
        """Return the ids of people, 16 bytes each."""
        return self.ids[people].tobytes()

    def spans(self, area: BaseGeometry) -> Spans:
        """Return the places in an area or on its edge as rows, without looking at whose they are.

        Raises:
            OutsideArea: a place does not lie in the area, of the some that are looked at again.
        """
        spans = self._spans(area, cover_area(self.places.grid, area))
        if not self.changed:
            return spans
        gone = np.count_nonzero(self.stale[spans.sorted_in(self.places.person)])
        return replace(spans, places=spans.places - int(gone))

    def blocks(
        self, area: BaseGeometry, *, seen: NDArray[np.bool_] | None = None
    ) -> Iterator[Block]:
        """Yield everybody in an area once, in blocks, those matched by uncertainty last.

        `seen` marks people by ordinal: those marked are left out, those yielded are marked.

        Each place is held against the area itself before anybody is yielded for it.

        Raises:
            OutsideArea: a place found in the area does not lie in it.
        """
        seen = np.zeros(len(self.stale), np.bool_) if seen is None else seen
        for people, uncertain in self._matches(area):
            once = people[~seen[people]]
            seen[once] = True
            if once.size:
                yield Block(once, uncertain)

    def count(self, area: BaseGeometry, *, towns: TownGrid | None = None) -> Count:
        """Count people and places in an area; with `towns` also the people in each of them.

        Raises:
            OutsideArea: as for spans.
        """
        spans = self._spans(area, cover_area(self.places.grid, area))
        there = self._tally(spans, towns)
        inside = np.concatenate([one.people for one in there])
        around = distinct(np.concatenate([one.person for one in self._near(area)]))
        for one in there:
            around = without(around, one.people)
        traits = self.traits[np.concatenate([inside, around])]
        channels, languages = by_channel_and_language(traits, self.languages)
        return Count(
            people=inside.size + around.size,
            places=sum(one.places for one in there),
            by_uncertainty=around.size,
            by_channel=channels,
            by_language=languages,
            by_town=dict(sum((Counter(one.by_town) for one in there), Counter())),
        )

    def _tally(self, spans: Spans, grid: TownGrid | None) -> list[Tally]:
        """Count the places sorted in, less those of who has changed since, and the fresh ones.

        Nobody is in both: whoever has fresh places has changed.
        """
        places, fresh = self.places, self.pending.sort()
        gone = self.stale if self.changed else None
        if grid is None:
            there = tally(spans.sorted_in(places.person), gone=gone)
            return [there, tally(fresh.person[spans.fresh])]
        towns, codes = spans.sorted_in(places.towns(grid)), grid.codes
        there = tally(spans.sorted_in(places.person), towns, codes, gone=gone)
        return [there, tally(fresh.person[spans.fresh], fresh.towns(grid)[spans.fresh], codes)]

    def _spans(self, area: BaseGeometry, cover: Cover) -> Spans:
        places = self.places
        first, last = places.whole(cover)
        rows = places.partly(area, cover)
        some = np.concatenate(
            [sample(first, last, rows=SAMPLE), rows[:: max(1, rows.size // SAMPLE)]]
        )
        look_at_some(area, places.lon[some], places.lat[some], rows=SAMPLE)
        fresh = self._fresh_rows(area, cover)
        return Spans(first, last, rows, fresh, int((last - first).sum()) + rows.size + fresh.size)

    def _fresh_rows(self, area: BaseGeometry, cover: Cover) -> Ints:
        if not self.changed:
            return np.empty(0, np.int64)
        fresh = self.pending.sort()
        whole = np.concatenate([np.empty(0, np.int64), *map(np.arange, *fresh.whole(cover))])
        return np.concatenate([whole, fresh.partly(area, cover)])

    def _matches(self, area: BaseGeometry) -> Iterator[tuple[Ordinals, bool]]:
        """Yield whose places match: first those inside, then those within their uncertainty.

        In each block people are in order, each once: what is looked up of them then lies side by
        side in memory, and that is what naming everybody costs.
        """
        most = FIRST
        for columns, rows, look in self._found(area):
            lon, lat, person = columns.lon[rows], columns.lat[rows], columns.person[rows]
            for some in _portions(person.size, first=most):
                look(area, lon[some], lat[some])
                people = distinct(person[some])
                yield self._current(people) if columns is self.places else people, False
                most = BLOCK
        for near in self._near(area):
            look_around(area, near.lon, near.lat, near.uncertainty_m)
            yield distinct(near.person), True

    def _found(self, area: BaseGeometry) -> Iterator[tuple[Sorted, Ints | slice, Look]]:
        """Yield the rows in an area, of which columns, and how to look at them again."""
        places = self.places
        cover = cover_area(places.grid, area)
        for rows in blocks_of(*places.whole(cover)):
            yield places, rows, look_at_runs
        yield places, places.partly(area, cover), look_at_each
        yield self.pending.sort(), self._fresh_rows(area, cover), look_at_each

    def _near(self, area: BaseGeometry) -> Iterator[Places]:
        """Yield the places within their own uncertainty of an area, of people as they are now."""
        fuzzy = self.places.fuzzy
        near = fuzzy.take(within(area, fuzzy.lon, fuzzy.lat, fuzzy.uncertainty_m))
        yield near.take(~self.stale[near.person]) if self.changed else near
        fuzzy = self.pending.sort().fuzzy
        yield fuzzy.take(within(area, fuzzy.lon, fuzzy.lat, fuzzy.uncertainty_m))

    def _current(self, people: Ordinals) -> Ordinals:
        return people[~self.stale[people]] if self.changed else people


def _portions(rows: int, *, first: int) -> Iterator[slice]:
    """Yield rows in slices of BLOCK at most, the first of them of `first` at most."""
    begin, end = 0, min(first, rows)
    while begin < rows:
        yield slice(begin, end)
        begin, end = end, min(end + BLOCK, rows)
