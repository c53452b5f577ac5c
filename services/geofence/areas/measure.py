"""How large an area is on the ground, and a plane of metres to measure distances in."""

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import FLATTENING, MAJOR_M, Floats

_E_SQ = FLATTENING * (2 - FLATTENING)
_E = np.sqrt(_E_SQ)

# The state's own plane: a Lambert cone that cuts the ellipsoid at these latitudes. From Long
# Island to Massachusetts a metre on it is a metre to 1 part in 10,000.
_SOUTH, _NORTH, _MIDDLE_LON = np.radians(41.2), np.radians(41.0 + 52.0 / 60), np.radians(-72.75)
# An edge of 0.02 degrees, straight in degrees, bends by 5 cm on the plane.
LONGEST_EDGE_DEG = 0.02
_ROUNDS = 6


def area_km2(geometry: BaseGeometry) -> float:
    """Return the area in square kilometres of a geometry in degrees WGS 84."""
    return float(areas_km2([geometry])[0])


def areas_km2(geometries: Sequence[BaseGeometry]) -> Floats:
    """Return the areas in square kilometres of geometries in degrees WGS 84.

    Projected onto the equal-area cylinder of the ellipsoid (Snyder 1987, equations 10-13 to
    10-15); edges are straight in degrees, as they are when points are matched.
    """
    shapes = np.array(geometries, object)
    return np.asarray(shapely.area(shapely.transform(shapes, _to_cylinder)) / 1e6)


def flatten(geometries: Sequence[BaseGeometry]) -> np.ndarray:
    """Return geometries in degrees WGS 84 as they lie on the plane of metres."""
    shapes = shapely.segmentize(np.array(geometries, object), LONGEST_EDGE_DEG)
    return np.asarray(shapely.transform(shapes, to_plane))


def to_plane(points: Floats) -> Floats:
    """Return points (n, 2) in degrees on the plane of metres (Snyder 1987, 15-1 to 15-11)."""
    lon, lat = np.radians(points[:, 0]), np.radians(points[:, 1])
    far = MAJOR_M * _SCALE * _t(lat) ** _CONE
    turn = _CONE * (lon - _MIDDLE_LON)
    return np.column_stack([far * np.sin(turn), -far * np.cos(turn)])


def from_plane(points: Floats) -> Floats:
    """Return points (n, 2) of the plane in degrees (Snyder 1987, 15-8 to 15-11 and 7-9)."""
    x, y = points[:, 0], -points[:, 1]
    t = (np.hypot(x, y) / (MAJOR_M * _SCALE)) ** (1 / _CONE)
    lat = np.pi / 2 - 2 * np.arctan(t)
    for _ in range(_ROUNDS):
        sine = _E * np.sin(lat)
        lat = np.pi / 2 - 2 * np.arctan(t * ((1 - sine) / (1 + sine)) ** (_E / 2))
    return np.column_stack([np.degrees(np.arctan2(x, y) / _CONE + _MIDDLE_LON), np.degrees(lat)])


def _to_cylinder(points: Floats) -> Floats:
    sine = np.sin(np.radians(points[:, 1]))
    part = np.log((1 - _E * sine) / (1 + _E * sine)) / (2 * _E)
    q = (1 - _E_SQ) * (sine / (1 - _E_SQ * sine**2) - part)
    return np.column_stack([np.radians(points[:, 0]) * MAJOR_M, q * MAJOR_M / 2])


def _t(lat: Floats) -> Floats:
    sine = _E * np.sin(lat)
    return np.asarray(np.tan(np.pi / 4 - lat / 2) / ((1 - sine) / (1 + sine)) ** (_E / 2))


def _m(lat: Floats) -> Floats:
    return np.asarray(np.cos(lat) / np.sqrt(1 - _E_SQ * np.sin(lat) ** 2))


_CONE = float((np.log(_m(_SOUTH)) - np.log(_m(_NORTH))) / (np.log(_t(_SOUTH)) - np.log(_t(_NORTH))))
_SCALE = float(_m(_SOUTH) / (_CONE * _t(_SOUTH) ** _CONE))
