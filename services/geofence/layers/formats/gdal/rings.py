"""Finds the ring of a shapefile's record that runs as a hole and lies in no shell."""

import struct
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LinearRing, Polygon, STRtree

Positions: TypeAlias = NDArray[np.float64]

# ESRI Shapefile Technical Description, 1998: a header of 100 bytes, entries of 8 in the index;
# a record's header of 8, then its type, four bounds, and the numbers of its parts and points.
_HEADER, _ENTRY = 100, 8
_COUNTS, _PARTS = 8 + 4 + 32, 8 + 4 + 32 + 8


def find_stray(shp: bytes, shx: bytes, record: int) -> tuple[int, int] | None:
    """Return ring and vertex of a record's first hole outside its shells: the first to lie there.

    What runs against the clock is a hole, which GDAL takes for a shell where it lies in none.
    """
    try:
        rings = _read_rings(shp, shx, record)
        # Outer rings run clockwise, holes the other way.
        holes = [bool(shapely.is_ccw(LinearRing(ring))) for ring in rings]
        shells = [Polygon(ring) for ring, hole in zip(rings, holes, strict=True) if not hole]
        if not shells:
            return None
        tree = STRtree(shells)
        found = (
            _stray(number, rings[number], shells, tree) for number, hole in enumerate(holes) if hole
        )
        return next((one for one in found if one), None)
    except (struct.error, ValueError, shapely.GEOSException):
        # What no ring can be made of is not ours to name: the whole feature is refused.
        return None


def _read_rings(shp: bytes, shx: bytes, record: int) -> list[Positions]:
    (words,) = struct.unpack_from(">i", shx, _HEADER + _ENTRY * record)
    at = 2 * words
    parts, points = struct.unpack_from("<2i", shp, at + _COUNTS)
    if parts < 1 or points < 1:
        raise ValueError("no rings")
    starts = np.frombuffer(shp, "<i4", parts, at + _PARTS)
    flat = np.frombuffer(shp, "<f8", 2 * points, at + _PARTS + 4 * parts)
    return np.split(flat.reshape(-1, 2).astype(np.float64), starts[1:])


def _stray(
    number: int, ring: Positions, shells: Sequence[Polygon], tree: STRtree
) -> tuple[int, int] | None:
    x, y = ring.T
    inside, touching = np.zeros(len(ring), bool), np.zeros(len(ring), bool)
    for near in tree.query(Polygon(ring)).tolist():
        inside |= shapely.contains_xy(shells[near], x, y)
        touching |= shapely.intersects_xy(shells[near], x, y)
    return None if inside.any() else (number, int(touching.argmin()))
