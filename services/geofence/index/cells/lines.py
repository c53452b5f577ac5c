"""The edges of an area in units of cells, and how near to an edge arithmetic can be trusted."""

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import Grid, Ints

# Edges flatter than this, in cells of width to a cell of height, are taken to touch the whole
# of their width: where they cross a height is known too badly.
STEEPEST = 1e5
# How many roundings of the largest number the margin is: STEEPEST of them are what a crossing
# may be off by, and there are twenty times as many to spare.
ROUNDINGS = 20 * STEEPEST
# Numbers of a grid of some 2,000 cells make the margin 1e-6 cells, which is 0.2 mm.
SMALLEST = 2048.0


@dataclass(frozen=True, slots=True)
class Lines:
    """Edges from (u1, v1) to (u2, v2) in cells.

    `margin` is how far from an edge, in cells, a cell still counts as touched: far more than
    coordinates and crossings are off by, so that no edge enters a cell unnoticed.
    """

    u1: Floats
    v1: Floats
    u2: Floats
    v2: Floats
    slope: Floats
    margin: float

    def u_at(self, edge: Ints, v: Floats) -> Floats:
        """Return where edges cross heights, never beyond their own ends."""
        u1, u2 = self.u1[edge], self.u2[edge]
        u = u1 + (v - self.v1[edge]) * self.slope[edge]
        return np.clip(u, np.minimum(u1, u2), np.maximum(u1, u2))


def lines_of(grid: Grid, area: BaseGeometry) -> Lines:
    """Return the edges of all rings of a polygon or multipolygon in degrees."""
    rings = shapely.get_rings(shapely.get_parts(area))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    u, v = grid.scaled(points[:, 0], points[:, 1])
    moves = (ring[1:] == ring[:-1]) & ((u[1:] != u[:-1]) | (v[1:] != v[:-1]))
    u1, v1, u2, v2 = u[:-1][moves], v[:-1][moves], u[1:][moves], v[1:][moves]
    rise = v2 - v1
    largest = max(SMALLEST, float(np.abs(u).max()), float(np.abs(v).max()))
    return Lines(
        u1=u1,
        v1=v1,
        u2=u2,
        v2=v2,
        slope=np.divide(u2 - u1, rise, out=np.zeros_like(rise), where=rise != 0),
        margin=float(np.spacing(largest)) * ROUNDINGS,
    )
