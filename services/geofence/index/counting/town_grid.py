"""Which town a point lies in, found by its cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from services.geofence.index.cells.cover import cover_area
from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import Cells, Grid, exact, state_grid

TownNumbers: TypeAlias = NDArray[np.int16]

NOWHERE, MIXED = -1, -2


@dataclass(frozen=True, slots=True, eq=False)
class TownGrid:
    """The towns of one layer version: codes, and per cell the number of the town it lies in."""

    grid: Grid
    codes: tuple[str, ...]
    cells: TownNumbers
    tree: STRtree

    def find(self, lon: Floats, lat: Floats, *, cell: Cells | None = None) -> TownNumbers:
        """Return the number of each point's town, the first on a common border, or NOWHERE.

        `cell` spares the work where the points' cells of the same grid are known.
        """
        found = self.cells[self.grid.cell_of(lon, lat) if cell is None else cell]
        mixed = np.flatnonzero(found == MIXED)
        found[mixed] = self._look(lon[mixed], lat[mixed])
        return found

    def _look(self, lon: Floats, lat: Floats) -> TownNumbers:
        """Hold points against the towns whose boxes they lie in."""
        found = np.full(lon.size, NOWHERE, np.int16)
        point, town = self.tree.query(shapely.points(lon, lat))
        # From the last town to the first, so that the first is what stays.
        for number in np.unique(town)[::-1].tolist():
            boxed = point[town == number]
            inside = exact(self.tree.geometries[number], lon[boxed], lat[boxed])
            found[boxed[inside]] = number
        return found


def make_town_grid(
    towns: Sequence[tuple[str, BaseGeometry]], *, grid: Grid | None = None
) -> TownGrid:
    """Make the grid of towns given as code and geometry in degrees.

    A cell is a town's own where the town covers it and no edge of any town touches it; in the
    others each point is held against the towns themselves.
    """
    grid = grid or state_grid()
    cells = np.full(grid.cells + 1, NOWHERE, np.int16)
    edges = [np.array([grid.cells])]
    for number, (_, geometry) in enumerate(towns):
        cover = cover_area(grid, geometry)
        for first, last in zip(cover.first.tolist(), cover.last.tolist(), strict=True):
            run = cells[first:last]
            run[:] = np.where(run == NOWHERE, number, MIXED)
        edges.append(cover.touched.cell)
    cells[np.concatenate(edges)] = MIXED
    tree = STRtree([geometry for _, geometry in towns])
    return TownGrid(grid, tuple(code for code, _ in towns), cells, tree)
