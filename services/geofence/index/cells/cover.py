"""Which cells an area covers, which its edges touch, and by which edges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.cells.lines import STEEPEST, Lines, lines_of
from services.geofence.index.grid import Grid, Ints, spread

# The spot of a cell whose side of the area is known. Off the middle, where drawn lines like to
# run: a spot on a line tells nothing.
SPOT_U, SPOT_V = 0.4871, 0.5132


@dataclass(frozen=True, slots=True)
class Touched:
    """Cells that edges touch, ascending, and whether the spot of each is inside.

    The edges that touch cell n are `edge[begin[n]:end[n]]`.
    """

    cell: Ints
    column: Ints
    row: Ints
    spot_inside: NDArray[np.bool_]
    begin: Ints
    end: Ints
    edge: Ints

    def take(self, some: NDArray[np.bool_]) -> "Touched":
        """Return some of the cells."""
        return Touched(
            cell=self.cell[some],
            column=self.column[some],
            row=self.row[some],
            spot_inside=self.spot_inside[some],
            begin=self.begin[some],
            end=self.end[some],
            edge=self.edge,
        )


@dataclass(frozen=True, slots=True)
class Cover:
    """What an area covers: runs of cells wholly inside [first, last), and cells on its edge.

    `beyond` says that the area reaches off the grid.
    """

    first: Ints
    last: Ints
    touched: Touched
    lines: Lines
    beyond: bool


@dataclass(frozen=True, slots=True)
class _Slabs:
    """The part of an edge in one row, and the columns it touches there, -1 … columns."""

    edge: Ints
    row: Ints
    left: Ints
    right: Ints


def cover_area(grid: Grid, area: BaseGeometry) -> Cover:
    """Classify the cells of a grid against a valid polygon or multipolygon in degrees.

    Edges are followed through the cells, and no picture of the grid is made: what lies between
    two touched cells of a row is inside if an odd number of edges lie to its left. A column on
    either side stands for all that is off the grid there.
    """
    lines = lines_of(grid, area)
    slabs = _slabs(grid, lines)
    counts = slabs.right - slabs.left + 1
    slab, nth = spread(counts)
    key = slabs.row[slab] * (grid.columns + 2) + slabs.left[slab] + nth + 1
    order = np.argsort(key.astype(np.int32))
    key = key[order]
    new = np.concatenate([np.ones(min(key.size, 1), np.bool_), key[1:] != key[:-1]])
    begin = np.flatnonzero(new)
    group = np.empty(key.size, np.int64)
    group[order] = np.cumsum(new) - 1
    row, column = np.divmod(key[begin], grid.columns + 2)
    cell = key[begin] - 2 * row - 1
    crossed, left_of_spot = _crossings(lines, slabs, group, np.cumsum(counts) - counts)
    crossings = np.bincount(crossed, minlength=cell.size)
    to_the_left = np.cumsum(crossings) - crossings
    before_spot = np.bincount(crossed[left_of_spot], minlength=cell.size)
    inside_after = ((to_the_left + crossings) & 1).astype(np.bool_)[:-1]
    gap = np.flatnonzero(inside_after & (cell[1:] > cell[:-1] + 1))
    touched = Touched(
        cell=cell,
        column=column - 1,
        row=row,
        spot_inside=((to_the_left + before_spot) & 1).astype(np.bool_),
        begin=begin,
        end=np.append(begin[1:], key.size),
        edge=slabs.edge[slab][order],
    )
    return Cover(
        first=cell[gap] + 1,
        last=cell[gap + 1],
        touched=touched.take((column > 0) & (column <= grid.columns)),
        lines=lines,
        beyond=_reaches_off(grid, lines),
    )


def _slabs(grid: Grid, lines: Lines) -> _Slabs:
    low, high = np.minimum(lines.v1, lines.v2), np.maximum(lines.v1, lines.v2)
    first = np.clip(np.floor(low - lines.margin), 0, grid.rows).astype(np.int64)
    last = np.clip(np.floor(high + lines.margin), -1, grid.rows - 1).astype(np.int64)
    edge, nth = spread(np.maximum(last - first + 1, 0))
    row = first[edge] + nth
    low, high = low[edge], high[edge]
    flat = (np.abs(lines.slope[edge]) >= STEEPEST) | (low == high)
    a = np.where(flat, lines.u1[edge], lines.u_at(edge, np.clip(row, low, high)))
    b = np.where(flat, lines.u2[edge], lines.u_at(edge, np.clip(row + 1, low, high)))
    left, right = np.minimum(a, b) - lines.margin, np.maximum(a, b) + lines.margin
    return _Slabs(
        edge=edge,
        row=row,
        left=np.clip(np.floor(left), -1, grid.columns).astype(np.int64),
        right=np.clip(np.floor(right), -1, grid.columns).astype(np.int64),
    )


def _crossings(
    lines: Lines, slabs: _Slabs, group: Ints, offset: Ints
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the cells where edges cross the line through the spots of their row.

    Also say whether left of the spot. An end on that line counts as below it.
    """
    height = slabs.row + SPOT_V
    crosses = (lines.v1[slabs.edge] <= height) != (lines.v2[slabs.edge] <= height)
    u = lines.u_at(slabs.edge[crosses], height[crosses])
    left, right = slabs.left[crosses], slabs.right[crosses]
    column = np.clip(np.floor(u).astype(np.int64), left, right)
    # Each of them lies in one of the cells that its slab touches.
    return group[offset[crosses] + column - left], u < column + SPOT_U


def _reaches_off(grid: Grid, lines: Lines) -> bool:
    margin = lines.margin
    return bool(
        lines.u1.min() < margin
        or lines.v1.min() < margin
        or lines.u1.max() > grid.columns - margin
        or lines.v1.max() > grid.rows - margin
    )
