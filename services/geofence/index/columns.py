"""Places as columns: in no order, and sorted by the cells of a grid."""

from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.cells.cover import Cover
from services.geofence.index.cells.on_edge import rows_on_edge
from services.geofence.index.counting.town_grid import TownGrid, TownNumbers
from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import Cells, Grid, Ints, exact

Ordinals: TypeAlias = NDArray[np.int32]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Places:
    """Places in no order: degrees WGS 84, uncertainty in metres, whose they are."""

    lon: Floats
    lat: Floats
    uncertainty_m: Floats
    person: Ordinals

    def take(self, rows: Ints | NDArray[np.bool_] | slice) -> "Places":
        """Return some of the rows."""
        return Places(self.lon[rows], self.lat[rows], self.uncertainty_m[rows], self.person[rows])

    def fuzzy(self) -> "Places":
        """Return the rows known only to within some metres."""
        return self.take(self.uncertainty_m > 0)


def no_places() -> Places:
    """Return no rows."""
    nothing = np.empty(0, np.float64)
    return Places(nothing, nothing, nothing, np.empty(0, np.int32))


def longer(column: NDArray[T], size: int) -> NDArray[T]:
    """Return a copy of a column with room for so many rows, zeros at its end."""
    grown = np.zeros((size, *column.shape[1:]), column.dtype)
    grown[: len(column)] = column
    return grown


def join(*parts: Places) -> Places:
    """Return the rows of all."""
    return Places(
        np.concatenate([part.lon for part in parts]),
        np.concatenate([part.lat for part in parts]),
        np.concatenate([part.uncertainty_m for part in parts]),
        np.concatenate([part.person for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class Sorted:
    """Immutable places sorted by cell; those off the grid come last.

    `start` holds where each cell begins; a few places have the `cell` of each row instead.
    Uncertain places lie in the columns like all others and, with their radius, in `fuzzy`: few
    are uncertain, so the columns need not carry a radius each.
    """

    grid: Grid
    lon: Floats
    lat: Floats
    person: Ordinals
    start: Cells
    fuzzy: Places
    cell: Cells | None = None
    _towns: dict[TownGrid, TownNumbers] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.person)

    def begin(self, cells: Ints) -> Ints:
        """Return the first row of each cell, or of the next cell that has one."""
        if self.cell is not None:
            return np.searchsorted(self.cell, cells)
        return self.start[cells].astype(np.int64)

    def cells(self) -> Cells:
        """Return the cell of each row."""
        if self.cell is not None:
            return self.cell
        per_cell = np.diff(self.start)
        return np.repeat(np.arange(per_cell.size, dtype=np.int32), per_cell)

    def towns(self, grid: TownGrid) -> TownNumbers:
        """Return the number of the town each row lies in, found once for a version of the towns."""
        known = self._towns.get(grid)
        if known is None:
            cell = self.cells() if grid.grid == self.grid else None
            known = grid.find(self.lon, self.lat, cell=cell)
            self._towns.clear()
            self._towns[grid] = known
        return known

    def known_towns(self) -> list[tuple[TownGrid, TownNumbers]]:
        """Return what is known of the rows' towns."""
        return list(self._towns.items())

    def whole(self, cover: Cover) -> tuple[Ints, Ints]:
        """Return runs of rows [first, last) in cells wholly inside an area."""
        first, last = self.begin(cover.first), self.begin(cover.last)
        full = last > first
        return first[full], last[full]

    def partly(self, area: BaseGeometry, cover: Cover) -> Ints:
        """Return the rows inside an area or on its edge in cells that its edge touches."""
        cell = cover.touched.cell
        rows = rows_on_edge(
            area,
            cover,
            grid=self.grid,
            begin=self.begin(cell),
            end=self.begin(cell + 1),
            lon=self.lon,
            lat=self.lat,
        )
        if not cover.beyond:
            return rows
        off = np.arange(self.begin(np.array([self.grid.cells]))[0], len(self))
        return np.concatenate([rows, off[exact(area, self.lon[off], self.lat[off])]])


def sort_places(grid: Grid, places: Places, *, few: bool = False) -> Sorted:
    """Sort places by the cells of a grid; of a few, so that no list of all cells is made."""
    cell = grid.cell_of(places.lon, places.lat)
    order = np.argsort(cell)
    nothing = np.empty(0, np.int32)
    return Sorted(
        grid=grid,
        lon=places.lon[order],
        lat=places.lat[order],
        person=places.person[order],
        start=nothing if few else _starts(np.bincount(cell, minlength=grid.cells + 1)),
        fuzzy=places.fuzzy(),
        cell=cell[order] if few else None,
    )


def merge(places: Sorted, added: Sorted, *, gone: NDArray[np.bool_]) -> Sorted:
    """Return new columns without the places of some people and with the added ones."""
    stays = ~gone[places.person]
    counts = np.bincount(places.cells()[stays], minlength=places.grid.cells + 1)
    added_cell = added.cells()
    # An added place comes after those of its cell that stay, and after those added before it.
    at = np.cumsum(counts)[added_cell] + np.arange(len(added))
    kept = np.ones(int(counts.sum()) + len(added), np.bool_)
    kept[at] = False

    def column(old: NDArray[T], new: NDArray[T]) -> NDArray[T]:
        both = np.empty(kept.size, old.dtype)
        both[kept] = old[stays]
        both[at] = new
        return both

    return Sorted(
        _towns={one: column(known, added.towns(one)) for one, known in places.known_towns()},
        grid=places.grid,
        lon=column(places.lon, added.lon),
        lat=column(places.lat, added.lat),
        person=column(places.person, added.person),
        start=_starts(counts + np.bincount(added_cell, minlength=counts.size)),
        fuzzy=join(places.fuzzy.take(~gone[places.fuzzy.person]), added.fuzzy),
    )


def _starts(counts: NDArray[np.intp]) -> Cells:
    start = np.zeros(counts.size + 1, np.int32)
    np.cumsum(counts, out=start[1:])
    return start
