"""Look once more, by another way than the grid, whether places found in an area lie in it."""

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import SHORTEST_DEGREE_M, Floats
from services.geofence.index.grid import exact

# A box of rounding around bounds, in degrees: 0.1 mm.
ROUNDING = 1e-9
# Neighbours whose common box may lie in the area, and with it each of them; where it does not,
# fewer together. By 64 alone it costs a quarter of asking for each on areas of many vertices.
TOGETHER = (512, 64)


class OutsideArea(Exception):
    """The index answered with a place that is not in the area: nothing it says may be used."""


def look_at_some(area: BaseGeometry, lon: Floats, lat: Floats, *, rows: int) -> None:
    """Hold all points against the bounds of an area and about `rows` against the area itself.

    Enough where nobody is going to be warned by the answer.

    Raises:
        OutsideArea: one of them does not lie in the area.
    """
    if not lon.size:
        return
    west, south, east, north = area.bounds
    # Asked so that a place that is no number fails.
    within = (
        lon.min() >= west - ROUNDING
        and lon.max() <= east + ROUNDING
        and lat.min() >= south - ROUNDING
        and lat.max() <= north + ROUNDING
    )
    if not within:
        raise OutsideArea("a place lies beyond the bounds of the area")
    every = max(1, lon.size // rows)
    look_at_each(area, lon[::every], lat[::every])


def look_at_each(area: BaseGeometry, lon: Floats, lat: Floats) -> None:
    """Hold every point against the area itself.

    Raises:
        OutsideArea: one of them lies neither in the area nor on its edge.
    """
    if not np.all(exact(area, lon, lat)):
        raise OutsideArea("a place that was found does not lie in the area")


def look_at_runs(area: BaseGeometry, lon: Floats, lat: Floats) -> None:
    """Hold every point against the area itself, neighbours by the box around them if that does.

    Raises:
        OutsideArea: as for look_at_each.
    """
    for together in TOGETHER:
        left = np.repeat(~_covers_runs(area, lon, lat, together), together)[: lon.size]
        lon, lat = lon[left], lat[left]
    look_at_each(area, lon, lat)


def _covers_runs(area: BaseGeometry, lon: Floats, lat: Floats, together: int) -> NDArray[np.bool_]:
    """Say of so many points at a time whether the area covers the box around them."""
    first = np.arange(0, lon.size, together)
    boxes = shapely.box(
        np.minimum.reduceat(lon, first),
        np.minimum.reduceat(lat, first),
        np.maximum.reduceat(lon, first),
        np.maximum.reduceat(lat, first),
    )
    shapely.prepare(area)
    return np.asarray(shapely.covers(area, boxes))


def look_around(area: BaseGeometry, lon: Floats, lat: Floats, radius_m: Floats) -> None:
    """Hold every point against the area itself, and the box around its radius if it lies outside.

    Raises:
        OutsideArea: the area is further away from one of them than its radius in metres.
    """
    outside = ~exact(area, lon, lat)
    lon, lat, radius_m = lon[outside], lat[outside], radius_m[outside]
    tall = radius_m / SHORTEST_DEGREE_M
    wide = tall / np.maximum(np.cos(np.radians(np.abs(lat) + tall)), 0.01) + ROUNDING
    tall = tall + ROUNDING
    boxes = shapely.box(lon - wide, lat - tall, lon + wide, lat + tall)
    if not np.all(shapely.intersects(area, boxes)):
        raise OutsideArea("a place that was found is further away than its uncertainty")
