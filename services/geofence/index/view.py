"""A fixed state of the index that queries read in a thread while changes come in."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.columns import Ordinals, Places, Sorted
from services.geofence.index.grid import Ints, exact
from services.geofence.index.near import within
from services.geofence.index.people import Ids

# A box of rounding around an area's bounds, in degrees: 0.1 mm.
ROUNDING = 1e-9
CHANNELS = {"sms": 1, "voice": 2, "email": 4}


class OutsideArea(Exception):
    """The index answered with a place that is not in the area: nothing it says may be used."""


@dataclass(frozen=True, slots=True)
class Block:
    """People met for the first time in a query, all for the same reason."""

    people: Ordinals
    by_uncertainty: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many people and places an area holds, and how many people a channel reaches."""

    people: int
    places: int
    by_uncertainty: int
    by_channel: dict[str, int]


@dataclass(frozen=True, slots=True)
class View:
    """Sorted places, the people in them whose places have since changed, and the changed ones.

    Views of one index have the same `lineage`; only then do ordinals mean the same people.
    """

    lineage: object
    places: Sorted
    stale: NDArray[np.bool_]
    fresh: Places
    ids: Ids
    reach: NDArray[np.uint8]

    def packed_ids(self, people: Ordinals) -> bytes:
        """Return the ids of people, 16 bytes each."""
        return self.ids[people].tobytes()

    def blocks(
        self, area: BaseGeometry, *, seen: NDArray[np.bool_] | None = None
    ) -> Iterator[Block]:
        """Yield everybody in an area once, in blocks, those matched by uncertainty last.

        `seen` marks people by ordinal: those marked are left out, those yielded are marked.

        Raises:
            OutsideArea: a place taken without an exact test does not lie in the area.
        """
        seen = np.zeros(len(self.stale), np.bool_) if seen is None else seen
        order = np.empty(len(self.stale), np.int32)
        for people, uncertain in self._rows(area):
            new = people[~seen[people]]
            order[new] = np.arange(new.size, dtype=np.int32)
            once = new[order[new] == np.arange(new.size, dtype=np.int32)]
            seen[once] = True
            if once.size:
                yield Block(once, uncertain)

    def count(self, area: BaseGeometry) -> Count:
        """Count people and places in an area.

        Raises:
            OutsideArea: as for blocks.
        """
        inside = np.zeros(len(self.stale), np.bool_)
        around = np.zeros(len(self.stale), np.bool_)
        places = 0
        for people, uncertain in self._rows(area):
            (around if uncertain else inside)[people] = True
            places += 0 if uncertain else people.size
        around &= ~inside
        reach = self.reach[: len(inside)][inside | around]
        bits = np.bincount(reach, minlength=8)
        ways = np.arange(bits.size)
        return Count(
            people=int(reach.size),
            places=places,
            by_uncertainty=int(np.count_nonzero(around)),
            by_channel={name: int(bits[(ways & bit) != 0].sum()) for name, bit in CHANNELS.items()},
        )

    def _rows(self, area: BaseGeometry) -> Iterator[tuple[Ordinals, bool]]:
        """Yield whose places match: first those inside, then those within their uncertainty."""
        for rows in self.places.blocks(area):
            self._contained(area, rows)
            people = self.places.person[rows]
            yield people[~self.stale[people]], False
        yield self.fresh.person[exact(area, self.fresh.lon, self.fresh.lat)], False
        for places in (self.places.fuzzy, self.fresh.fuzzy()):
            near = within(area, places.lon, places.lat, places.uncertainty_m)
            people = places.person[near]
            if places is self.places.fuzzy:
                people = people[~self.stale[people]]
            yield people, True

    def _contained(self, area: BaseGeometry, rows: slice | Ints) -> None:
        """Check rows taken whole, by another way than the grid: all by bounds, some exactly."""
        lon, lat = self.places.lon[rows], self.places.lat[rows]
        if not lon.size:
            return
        west, south, east, north = area.bounds
        if (
            lon.min() < west - ROUNDING
            or lon.max() > east + ROUNDING
            or lat.min() < south - ROUNDING
            or lat.max() > north + ROUNDING
        ):
            raise OutsideArea("a place lies beyond the bounds of the area")
        every = max(1, lon.size // 64)
        if not exact(area, lon[::every], lat[::every]).all():
            raise OutsideArea("a place taken whole does not lie in the area")
