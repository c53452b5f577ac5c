"""Who of the cells that an area's edges touch is inside: by the edges of each cell alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.cells.cover import SPOT_U, SPOT_V, Cover, Touched
from services.geofence.index.cells.lines import Lines
from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import Grid, Ints, exact, spread

# Pairs of a place and an edge looked at together: what fits the processor's cache.
PAIRS = 32_768


@dataclass(frozen=True, slots=True)
class _Points:
    """Places as seen from the spot of their cell, in cells; which cell; rows of the columns."""

    x: Floats
    y: Floats
    cell: Ints
    row: Ints


@dataclass(frozen=True, slots=True)
class _Beside:
    """Edges as seen from the spot of a cell they touch, one for each cell and edge.

    (nu, nv) is the edge's direction, of length 1 as |u| + |v|. A point is at
    nu * y - nv * x - k from the edge's line, less than 0 on one side. `spot` is that of the
    spot itself where the edge spans the spot's column line, else 0.
    """

    first_point: Ints
    points: Ints
    nu: Floats
    nv: Floats
    k: Floats
    low: Floats
    high: Floats
    spot: Floats


def rows_on_edge(
    area: BaseGeometry,
    cover: Cover,
    *,
    grid: Grid,
    begin: Ints,
    end: Ints,
    lon: Floats,
    lat: Floats,
) -> Ints:
    """Return the rows inside an area among those in the cells its edges touch.

    `begin` and `end` say which rows lie in each touched cell. From the spot of its cell to a
    place leads a path of two legs, up or down and then across; each edge it crosses changes
    sides. Sides are compared in floating point, and where a place, the bend of the path or the
    spot is so near to an edge that rounding could tell, GEOS decides: its predicates are exact.
    """
    full = end > begin
    touched, begin, count = cover.touched.take(full), begin[full], (end - begin)[full]
    points = _points(grid, touched, begin, count, lon, lat)
    nearest = cover.lines.margin / 8
    beside, near_spot = _beside(touched, cover.lines, count, nearest)
    flips = np.zeros(points.row.size, np.bool_)
    doubt = near_spot[points.cell]
    for some in _portions(beside):
        _walk(points, beside, some, flips, doubt, nearest)
    inside = touched.spot_inside[points.cell] ^ flips
    asked = np.flatnonzero(doubt)
    if asked.size:
        rows = points.row[asked]
        inside[asked] = exact(area, lon[rows], lat[rows])
    return np.asarray(points.row[inside])


def _points(
    grid: Grid, touched: Touched, begin: Ints, count: Ints, lon: Floats, lat: Floats
) -> _Points:
    cell, nth = spread(count)
    row = begin[cell] + nth
    u, v = grid.scaled(lon[row], lat[row])
    return _Points(u - (touched.column[cell] + SPOT_U), v - (touched.row[cell] + SPOT_V), cell, row)


def _beside(
    touched: Touched, lines: Lines, count: Ints, nearest: float
) -> tuple[_Beside, NDArray[np.bool_]]:
    cell, nth = spread(touched.end - touched.begin)
    edge = touched.edge[touched.begin[cell] + nth]
    u1, v1, u2, v2 = lines.u1[edge], lines.v1[edge], lines.u2[edge], lines.v2[edge]
    spot_u, spot_v = touched.column[cell] + SPOT_U, touched.row[cell] + SPOT_V
    length = np.abs(u2 - u1) + np.abs(v2 - v1)
    nu, nv = (u2 - u1) / length, (v2 - v1) / length
    k = nu * (v1 - spot_v) - nv * (u1 - spot_u)
    near = np.zeros(touched.cell.size, np.bool_)
    near[cell[np.abs(k) <= nearest]] = True
    beside = _Beside(
        first_point=(np.cumsum(count) - count)[cell],
        points=count[cell],
        nu=nu,
        nv=nv,
        k=k,
        low=np.minimum(v1, v2) - spot_v,
        high=np.maximum(v1, v2) - spot_v,
        spot=np.where((u1 <= spot_u) != (u2 <= spot_u), -k, 0.0),
    )
    return beside, near


def _portions(beside: _Beside) -> Iterator[slice]:
    total = np.cumsum(beside.points)
    pairs = int(total[-1]) if total.size else 0
    ends = np.searchsorted(total, np.arange(PAIRS, pairs, PAIRS)).tolist()
    begin = 0
    for end in [*ends, total.size]:
        if end > begin:
            yield slice(begin, end)
            begin = end


def _walk(
    points: _Points,
    beside: _Beside,
    some: slice,
    flips: NDArray[np.bool_],
    doubt: NDArray[np.bool_],
    nearest: float,
) -> None:
    """Note which points some edges part from their spot, and which they come too near."""
    edge, nth = spread(beside.points[some])
    point = beside.first_point[some][edge] + nth
    x, y = points.x[point], points.y[point]
    # From the line to the bend of the path, and to the point itself.
    bend = beside.nu[some][edge] * y - beside.k[some][edge]
    sides = bend * (bend - beside.nv[some][edge] * x)
    across = (beside.low[some][edge] <= y) & (y < beside.high[some][edge]) & (sides < 0)
    upright = bend * beside.spot[some][edge] < 0
    changed = np.bincount(point[across != upright], minlength=1)
    flips[: changed.size] ^= (changed & 1).astype(np.bool_)
    # No point is further from an edge of its cell than 2: less than this, and one is near.
    doubt[point[np.abs(sides) <= 2 * nearest]] = True
