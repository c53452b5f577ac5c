"""Circles in true metres as polygons of geodesic spokes: never smaller, a little larger."""

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from services.geofence.index.geodesy import travel

# The polygon stands outside the circle by at most this much and never inside it, so that
# nobody within the radius is lost.
OVERSHOOT_M = 0.05
FEWEST_SPOKES = 64
# An edge of 200 m is straight in degrees and so up to 0.7 mm off the shortest way.
BULGE_M = 0.002
SAGITTA_M = OVERSHOOT_M - 5 * BULGE_M
# Around thousands of points a metre and a half is spent, so that an event can carry them all.
DOT_OVERSHOOT_M = 1.5
FEWEST_DOT_SPOKES = 12
# Corners on this grid (7 mm) end in zeros, which pack to two thirds; half of it may be lost.
GRID_DEG = 2.0**-24
GRID_MARGIN_M = 0.005


def circle(lon: float, lat: float, radius_m: float) -> Polygon:
    """Return the polygon around a circle: degrees WGS 84, radius in metres up to 100 km.

    Whoever is within the radius is inside; nobody more than 5 cm beyond it is. From then on the
    polygon is the area: it is what is shown, approved and matched.
    """
    spokes = spokes_of(radius_m)
    bearing = np.linspace(0, 2 * np.pi, spokes, endpoint=False)
    x, y = travel(lon, lat, -bearing, (radius_m + BULGE_M) / np.cos(np.pi / spokes))
    return Polygon(shapely.linearrings(np.column_stack([x, y])))


def spokes_of(radius_m: float) -> int:
    """Return how many corners a circle of a radius in metres has."""
    return max(FEWEST_SPOKES, _spokes(radius_m, SAGITTA_M))


def dots(points: NDArray[np.float64], radius_m: float) -> list[Polygon]:
    """Return a polygon around each point, shape (n, 2): lon, lat in degrees; radius in metres.

    Whoever is within the radius of a point is inside; nobody more than 1.5 m beyond it is.
    """
    spokes = dot_spokes_of(radius_m)
    bearing = np.linspace(0, 2 * np.pi, spokes, endpoint=False)
    reach = (radius_m + BULGE_M + GRID_MARGIN_M) / np.cos(np.pi / spokes)
    lon, lat = points[:, :1], points[:, 1:]
    corners = np.stack(travel(lon, lat, -bearing[None, :], reach), axis=-1)
    on_grid = np.round(corners / GRID_DEG) * GRID_DEG
    made: list[Polygon] = np.asarray(shapely.polygons(on_grid)).tolist()
    return made


def dot_spokes_of(radius_m: float) -> int:
    """Return how many corners the polygon around a point has."""
    return max(FEWEST_DOT_SPOKES, _spokes(radius_m, DOT_OVERSHOOT_M - 3 * GRID_MARGIN_M))


def _spokes(radius_m: float, overshoot_m: float) -> int:
    return int(np.ceil(np.pi / np.arccos(radius_m / (radius_m + overshoot_m))))
