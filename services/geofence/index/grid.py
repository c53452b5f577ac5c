"""A grid of cells over Connecticut: the cell of a point, and runs of numbers."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import Floats
from shared.connecticut import SERVICE_BOX

Ints: TypeAlias = NDArray[np.int64]
Cells: TypeAlias = NDArray[np.int32]

# 166 by 222 m: twice as coarse, four times as many places lie in cells that an edge touches;
# twice as fine, the starts of the cells take 7 MB more for every million places.
PER_DEGREE = 500.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Row-major cells, so many to a degree; what lies off the grid belongs to a last cell."""

    west: float
    south: float
    per_degree: float
    columns: int
    rows: int

    @property
    def cells(self) -> int:
        """The number of cells on the grid, which is also the number of the cell off it."""
        return self.columns * self.rows

    def scaled(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Return degrees in units of cells, by one arithmetic for points and edges alike."""
        return (lon - self.west) * self.per_degree, (lat - self.south) * self.per_degree

    def cell_of(self, lon: Floats, lat: Floats) -> Cells:
        """Return the cell of each point in degrees."""
        u, v = self.scaled(lon, lat)
        on = (u >= 0) & (u < self.columns) & (v >= 0) & (v < self.rows)
        column = np.where(on, u, 0).astype(np.int32)
        row = np.where(on, v, 0).astype(np.int32)
        return np.where(on, row * np.int32(self.columns) + column, np.int32(self.cells))


def state_grid(per_degree: float = PER_DEGREE) -> Grid:
    """Return the grid over the service area with so many cells to a degree."""
    box = SERVICE_BOX
    return Grid(
        west=box.west,
        south=box.south,
        per_degree=per_degree,
        columns=int(np.ceil((box.east - box.west) * per_degree)),
        rows=int(np.ceil((box.north - box.south) * per_degree)),
    )


def spread(counts: Ints | Cells) -> tuple[Ints, Ints]:
    """Return for counts [2, 1] the owners [0, 0, 1] and the places within each [0, 1, 0]."""
    owner = np.repeat(np.arange(counts.size), counts)
    offset = np.cumsum(counts, dtype=np.int64) - counts
    return owner, np.arange(owner.size) - offset[owner]


def exact(area: BaseGeometry, lon: Floats, lat: Floats) -> NDArray[np.bool_]:
    """Say for each point in degrees whether it lies inside the area or on its edge."""
    shapely.prepare(area)
    return np.asarray(shapely.intersects_xy(area, lon, lat))
