"""Places as columns: those sorted by grid cell, and those not yet sorted in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import Cover, Grid, Ints, exact, spread

Ordinals: TypeAlias = NDArray[np.int32]

# Rows handed over together: big enough for numpy, small enough to leave early.
BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class Places:
    """Places in no order: degrees WGS 84, uncertainty in metres, whose they are."""

    lon: Floats
    lat: Floats
    uncertainty_m: Floats
    person: Ordinals

    def take(self, rows: Ints | NDArray[np.bool_]) -> "Places":
        """Return some of the rows."""
        return Places(self.lon[rows], self.lat[rows], self.uncertainty_m[rows], self.person[rows])

    def fuzzy(self) -> "Places":
        """Return the rows known only to within some metres."""
        return self.take(self.uncertainty_m > 0)


def no_places() -> Places:
    """Return no rows."""
    nothing = np.empty(0, np.float64)
    return Places(nothing, nothing, nothing, np.empty(0, np.int32))


def join(first: Places, second: Places) -> Places:
    """Return the rows of both."""
    return Places(
        np.concatenate([first.lon, second.lon]),
        np.concatenate([first.lat, second.lat]),
        np.concatenate([first.uncertainty_m, second.uncertainty_m]),
        np.concatenate([first.person, second.person]),
    )


@dataclass(frozen=True, slots=True)
class Sorted:
    """Immutable places sorted by cell; `start` holds where each cell begins.

    Uncertain places lie in the columns like all others and, with their radius, in `fuzzy`:
    few are uncertain, so the columns need not carry a radius each.
    """

    grid: Grid
    lon: Floats
    lat: Floats
    person: Ordinals
    start: NDArray[np.int32]
    fuzzy: Places

    def __len__(self) -> int:
        return len(self.person)

    def blocks(self, area: BaseGeometry) -> Iterator[slice | Ints]:
        """Yield the rows inside an area or on its edge, whole runs of cells first."""
        cover = self.grid.cover(area)
        first, last = self.start[cover.first], self.start[cover.last]
        full = last > first
        yield from _runs(first[full], last[full])
        candidates = self._on_edge(cover)
        for at in range(0, len(candidates), BLOCK):
            rows = candidates[at : at + BLOCK]
            yield rows[exact(area, self.lon[rows], self.lat[rows])]

    def _on_edge(self, cover: Cover) -> Ints:
        cells = cover.edge
        if cover.beyond:
            cells = np.append(cells, self.grid.cells)
        first = self.start[cells].astype(np.int64)
        owner, nth = spread(self.start[cells + 1] - first)
        return np.asarray(first[owner] + nth)

    def without(self, gone: NDArray[np.bool_], added: Places) -> "Sorted":
        """Return new columns without the places of some people and with some places added."""
        stays = ~gone[self.person]
        fuzzy = self.fuzzy.take(~gone[self.fuzzy.person])
        cell_added = self.grid.cell_of(added.lon, added.lat)
        order = np.argsort(cell_added, kind="stable")
        added, cell_added = added.take(order), cell_added[order]
        per_cell = np.diff(self.start)
        cell_kept = np.repeat(np.arange(per_cell.size, dtype=np.int32), per_cell)[stays]
        at = np.searchsorted(cell_kept, cell_added, side="right")
        counts = np.bincount(cell_kept, minlength=per_cell.size)
        counts += np.bincount(cell_added, minlength=per_cell.size)
        return Sorted(
            grid=self.grid,
            lon=np.insert(self.lon[stays], at, added.lon),
            lat=np.insert(self.lat[stays], at, added.lat),
            person=np.insert(self.person[stays], at, added.person),
            start=_starts(counts),
            fuzzy=join(fuzzy, added.fuzzy()),
        )


def sort_places(grid: Grid, places: Places) -> Sorted:
    """Sort places by the cells of a grid."""
    cell = grid.cell_of(places.lon, places.lat)
    order = np.argsort(cell)
    return Sorted(
        grid=grid,
        lon=places.lon[order],
        lat=places.lat[order],
        person=places.person[order],
        start=_starts(np.bincount(cell, minlength=grid.cells + 1)),
        fuzzy=places.fuzzy(),
    )


def _starts(counts: NDArray[np.intp]) -> NDArray[np.int32]:
    start = np.zeros(counts.size + 1, np.int32)
    np.cumsum(counts, out=start[1:])
    return start


def _runs(first: NDArray[np.int32], last: NDArray[np.int32]) -> Iterator[slice | Ints]:
    """Yield runs of rows, long ones as slices, short ones gathered into blocks."""
    long = last - first >= BLOCK // 8
    for begin, end in zip(first[long].tolist(), last[long].tolist(), strict=True):
        for at in range(begin, end, BLOCK):
            yield slice(at, min(at + BLOCK, end))
    begins, lengths = first[~long].astype(np.int64), (last - first)[~long].astype(np.int64)
    total = np.cumsum(lengths)
    split = np.searchsorted(total, np.arange(BLOCK, total[-1] if total.size else 0, BLOCK))
    for begins_part, lengths_part in zip(
        np.split(begins, split), np.split(lengths, split), strict=True
    ):
        owner, nth = spread(lengths_part)
        yield begins_part[owner] + nth
