"""Metres around a spot of the map: how far an edge is, and which parts are wider than rounding."""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import FLATTENING, MAJOR_M

# Five decimals give a metre: what is nearer or thinner is drawing and rounding (FEATURES G5).
ROUNDING_M = 1.0

_E_SQ = FLATTENING * (2 - FLATTENING)


def metres_a_degree(lat: float) -> tuple[float, float]:
    """Return how many metres a degree of longitude and one of latitude are at a latitude."""
    sine = np.sin(np.radians(lat))
    part = 1 - _E_SQ * sine**2
    east = MAJOR_M * np.cos(np.radians(lat)) / np.sqrt(part)
    north = MAJOR_M * (1 - _E_SQ) / part**1.5
    return float(np.radians(east)), float(np.radians(north))


def edge_distance_m(geometry: BaseGeometry, lon: float, lat: float) -> float:
    """Return how far a point in degrees is from the edge of an area, in metres.

    True to a thousandth within some kilometres, which is where it matters.
    """
    edge = _flat(shapely.boundary(geometry), lon, lat)
    return float(shapely.distance(edge, shapely.Point(0, 0)))


def wide_parts(geometry: BaseGeometry, *, narrowest_m: float = ROUNDING_M) -> list[BaseGeometry]:
    """Return the polygons of a geometry in degrees that are wider than some metres somewhere.

    What lies between two drawings of one border is not; lines and points never are.
    """
    polygons: Sequence[BaseGeometry] = [
        part
        for part in shapely.get_parts(shapely.get_parts(geometry)).tolist()
        if isinstance(part, shapely.Polygon) and not part.is_empty
    ]
    wide = []
    for part in polygons:
        west, south, east, north = part.bounds
        flat = _flat(part, (west + east) / 2, (south + north) / 2)
        if not shapely.is_empty(shapely.buffer(flat, -narrowest_m / 2)):
            wide.append(part)
    return wide


def _flat(geometry: BaseGeometry, lon: float, lat: float) -> BaseGeometry:
    scale = np.array(metres_a_degree(lat))
    origin = np.array([lon, lat])

    def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((points - origin) * scale)

    return shapely.transform(geometry, project)
