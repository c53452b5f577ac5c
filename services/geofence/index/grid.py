"""A grid of cells over Connecticut, and which of its cells an area covers, touches or misses."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import Floats
from services.geofence.index.near import edges_of
from shared.connecticut import SERVICE_BOX

Ints: TypeAlias = NDArray[np.int64]

# How far from an edge, in cells, a cell still counts as touched. Crossings are wrong by at
# most 3e-8 cells (1,300 cells wide, slopes below 130,000 thanks to FLAT, 2e-13 of rounding).
EPSILON = 1e-6
# Edges that rise by less, in cells, are taken as touching their whole width.
FLAT = 0.01


@dataclass(frozen=True, slots=True)
class Cover:
    """What an area covers: runs of cells wholly inside [first, last), and cells on its edge."""

    first: Ints
    last: Ints
    edge: Ints
    beyond: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """Row-major cells of one size in degrees; what lies off the grid belongs to a last cell."""

    west: float
    south: float
    size: float
    columns: int
    rows: int

    @property
    def cells(self) -> int:
        """The number of cells on the grid, which is also the number of the cell off it."""
        return self.columns * self.rows

    def cell_of(self, lon: Floats, lat: Floats) -> NDArray[np.int32]:
        """Return the cell of each point in degrees."""
        u, v = self._scaled(lon, lat)
        on = (u >= 0) & (u < self.columns) & (v >= 0) & (v < self.rows)
        column = np.where(on, u, 0).astype(np.int32)
        row = np.where(on, v, 0).astype(np.int32)
        return np.where(on, row * np.int32(self.columns) + column, np.int32(self.cells))

    def cover(self, area: BaseGeometry) -> Cover:
        """Classify the cells against a valid polygon or multipolygon in degrees."""
        edges = edges_of(area)
        u1, v1 = self._scaled(edges[:, 0], edges[:, 1])
        u2, v2 = self._scaled(edges[:, 2], edges[:, 3])
        u_low, u_high = np.minimum(u1, u2), np.maximum(u1, u2)
        v_low, v_high = np.minimum(v1, v2), np.maximum(v1, v2)
        left, right = _floor(u_low.min()), _floor(u_high.max(), EPSILON)
        low, high = _floor(v_low.min()), _floor(v_high.max(), EPSILON)
        beyond = bool(left < 0 or low < 0 or right >= self.columns or high >= self.rows)
        left, right = max(left, 0), min(right, self.columns - 1)
        low, high = max(low, 0), min(high, self.rows - 1)
        if right < left or high < low:
            nothing = np.empty(0, np.int64)
            return Cover(nothing, nothing, nothing, beyond)
        window = _Window(left, low, right - left + 1, high - low + 1)
        flat = v_high - v_low < FLAT
        slope = np.divide(u2 - u1, v2 - v1, out=np.zeros_like(u1), where=~flat)
        lines = _Lines(u1, v1, u_low, u_high, v_low, v_high, slope, flat)
        touched = window.touched(lines)
        inside = window.odd_crossings(lines) & ~touched
        return self._cover(window, inside, touched, beyond)

    def _cover(
        self,
        window: "_Window",
        inside: NDArray[np.bool_],
        touched: NDArray[np.bool_],
        beyond: bool,
    ) -> Cover:
        framed = np.zeros((window.height, window.width + 2), np.int8)
        framed[:, 1:-1] = inside
        step = np.diff(framed, axis=1)
        row, begins = np.nonzero(step == 1)
        ends = np.nonzero(step == -1)[1]
        start = (row + window.low) * self.columns + window.left
        row_t, column_t = np.nonzero(touched)
        edge = (row_t + window.low) * self.columns + column_t + window.left
        return Cover(start + begins, start + ends, edge, beyond)

    def _scaled(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        # The same arithmetic for points and edges, so that both agree on every cell border.
        return (lon - self.west) / self.size, (lat - self.south) / self.size


@dataclass(frozen=True, slots=True)
class _Lines:
    """The edges of an area in units of cells."""

    u1: Floats
    v1: Floats
    u_low: Floats
    u_high: Floats
    v_low: Floats
    v_high: Floats
    slope: Floats
    flat: NDArray[np.bool_]

    def at(self, edge: Ints, v: Floats) -> Floats:
        """Return where edges cross a height, never beyond their own ends."""
        u = self.u1[edge] + (v - self.v1[edge]) * self.slope[edge]
        return np.clip(u, self.u_low[edge], self.u_high[edge])


@dataclass(frozen=True, slots=True)
class _Window:
    """The part of the grid that an area's bounds reach."""

    left: int
    low: int
    width: int
    height: int

    def touched(self, lines: _Lines) -> NDArray[np.bool_]:
        """Mark the cells that an edge runs through or passes within EPSILON."""
        top = self.low + self.height
        first = np.clip(np.floor(lines.v_low - EPSILON), self.low, top).astype(np.int64)
        last = np.clip(np.floor(lines.v_high + EPSILON), self.low - 1, top - 1).astype(np.int64)
        edge, nth = spread(np.maximum(last - first + 1, 0))
        row = first[edge] + nth
        bottom_v = np.clip(row, lines.v_low[edge], lines.v_high[edge])
        top_v = np.clip(row + 1, lines.v_low[edge], lines.v_high[edge])
        a, b = lines.at(edge, bottom_v), lines.at(edge, top_v)
        flat = lines.flat[edge]
        a = np.where(flat, lines.u_low[edge], a)
        b = np.where(flat, lines.u_high[edge], b)
        end = self.left + self.width
        begin = np.clip(np.floor(np.minimum(a, b) - EPSILON), self.left, end).astype(np.int64)
        stop = np.clip(np.floor(np.maximum(a, b) + EPSILON), self.left - 1, end - 1)
        slab, along = spread(np.maximum(stop.astype(np.int64) - begin + 1, 0))
        marks = np.zeros((self.height, self.width), np.bool_)
        marks[row[slab] - self.low, begin[slab] + along - self.left] = True
        return marks

    def odd_crossings(self, lines: _Lines) -> NDArray[np.bool_]:
        """Mark the cells whose centre has an odd number of edges to its left."""
        top = self.low + self.height
        first = np.clip(np.ceil(lines.v_low - 0.5), self.low, top).astype(np.int64)
        last = np.clip(np.ceil(lines.v_high - 0.5), self.low, top).astype(np.int64)
        edge, nth = spread(last - first)
        row = first[edge] + nth
        u = lines.at(edge, row.astype(np.float64) + 0.5)
        # A flat edge crosses somewhere along its width; every cell there is touched anyway.
        column = np.clip(np.ceil(u - 0.5).astype(np.int64), self.left, self.left + self.width)
        key = (row - self.low) * (self.width + 1) + column - self.left
        count = np.bincount(key, minlength=self.height * (self.width + 1))
        parity = (count & 1).astype(np.bool_).reshape(self.height, self.width + 1)[:, :-1]
        return np.asarray(np.logical_xor.accumulate(parity, axis=1))


def spread(counts: Ints) -> tuple[Ints, Ints]:
    """Return for counts [2, 1] the owners [0, 0, 1] and the places within each [0, 1, 0]."""
    owner = np.repeat(np.arange(counts.size), counts)
    offset = np.cumsum(counts) - counts
    return owner, np.arange(owner.size) - offset[owner]


def _floor(value: np.float64, epsilon: float = -EPSILON) -> int:
    return int(np.floor(value + epsilon))


def state_grid(size: float = 0.0025) -> Grid:
    """Return the grid over the service area with cells of so many degrees."""
    box = SERVICE_BOX
    return Grid(
        west=box.west,
        south=box.south,
        size=size,
        columns=int(np.ceil((box.east - box.west) / size)),
        rows=int(np.ceil((box.north - box.south) / size)),
    )


def exact(area: BaseGeometry, lon: Floats, lat: Floats) -> NDArray[np.bool_]:
    """Say for each point in degrees whether it lies inside the area or on its edge."""
    shapely.prepare(area)
    return np.asarray(shapely.intersects_xy(area, lon, lat))
