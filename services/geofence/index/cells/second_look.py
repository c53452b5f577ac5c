"""Look once more, by another way than the grid, whether places found in an area lie in it."""

import numpy as np
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import exact

# A box of rounding around an area's bounds, in degrees: 0.1 mm.
ROUNDING = 1e-9
# One of so many is held against the area itself.
SHARE = 64


class OutsideArea(Exception):
    """The index answered with a place that is not in the area: nothing it says may be used."""


def second_look(
    area: BaseGeometry, lon: Floats, lat: Floats, *, exactly: int | None = None
) -> None:
    """Hold all points against the bounds of an area and some, or about `exactly`, against it.

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
    every = max(1, lon.size // (exactly or max(1, lon.size // SHARE)))
    if not np.all(exact(area, lon[::every], lat[::every])):
        raise OutsideArea("a place taken whole does not lie in the area")
