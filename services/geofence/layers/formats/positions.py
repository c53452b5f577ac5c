"""A geometry's positions: brought to degrees, without altitude, and where they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.connecticut import SERVICE_BOX

Columns: TypeAlias = NDArray[np.float64]
ToDegrees: TypeAlias = Callable[[Columns, Columns], tuple[Columns, Columns]]

# Neighbouring counties reach farther than the service area, but nothing of use farther than this.
MARGIN_DEG = 1.0
_LOW = SERVICE_BOX.west - MARGIN_DEG, SERVICE_BOX.south - MARGIN_DEG
_HIGH = SERVICE_BOX.east + MARGIN_DEG, SERVICE_BOX.north + MARGIN_DEG


def is_near(lon: Columns, lat: Columns) -> NDArray[np.bool_]:
    """Say of each point in degrees whether it lies in or not far from the service area."""
    west, south = _LOW
    east, north = _HIGH
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


@dataclass(frozen=True, slots=True)
class Size:
    """How much a geometry claims to have, well-formed or not; `ring` is its longest one."""

    polygons: int
    vertices: int
    ring: int


def size_of(geometry: object) -> Size:
    """Return how much a geometry claims to have."""
    polygons = _polygons(geometry)
    rings = [
        len(ring)
        for polygon in polygons
        if isinstance(polygon, list)
        for ring in polygon
        if isinstance(ring, list)
    ]
    return Size(len(polygons), sum(rings), max(rings, default=0))


def flatten(geometry: object, to_degrees: ToDegrees | None) -> tuple[object, bool]:
    """Return a GeoJSON geometry in degrees of two numbers a position; say if there were three.

    What is not well-formed stays as it is, in its place, for the strict reader to refuse.
    """
    if not isinstance(geometry, dict) or not _polygons(geometry):
        return geometry, False
    altitude = False
    made: list[object] = []
    for rings in _polygons(geometry):
        if not isinstance(rings, list):
            made.append(rings)
            continue
        flat = [_ring(ring, to_degrees) for ring in rings]
        altitude |= any(had for _, had in flat)
        made.append([ring for ring, _ in flat])
    coordinates = made if geometry["type"] == "MultiPolygon" else made[0]
    return {**geometry, "coordinates": coordinates}, altitude


def outside(geometry: object) -> str | None:
    """Return the pointer of the first corner far away, of a read geometry."""
    many = isinstance(geometry, dict) and geometry["type"] == "MultiPolygon"
    for number, rings in enumerate(_polygons(geometry)):
        for ring, positions in enumerate(rings):  # type: ignore[arg-type, var-annotated]
            points = np.array(positions, np.float64)
            far = np.flatnonzero(~is_near(points[:, 0], points[:, 1]))
            if len(far):
                part = f"/{number}" if many else ""
                return f"/coordinates{part}/{ring}/{far[0]}"
    return None


def _polygons(geometry: object) -> list[object]:
    if not isinstance(geometry, dict):
        return []
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list):
        return []
    if geometry.get("type") == "MultiPolygon":
        return coordinates
    return [coordinates] if geometry.get("type") == "Polygon" else []


def _ring(ring: object, to_degrees: ToDegrees | None) -> tuple[object, bool]:
    if not isinstance(ring, list):
        return ring, False
    altitude = any(_has_altitude(position) for position in ring)
    if not (altitude or to_degrees):
        return ring, False
    made = [position[:2] if _has_altitude(position) else position for position in ring]
    good = [number for number, position in enumerate(made) if _is_position(position)]
    if not (good and to_degrees):
        return made, altitude
    values = np.array([made[number] for number in good], np.float64)
    lon, lat = to_degrees(*values.T)
    for number, x, y in zip(good, lon.tolist(), lat.tolist(), strict=True):
        made[number] = [x, y]
    return made, altitude


def _is_position(position: object) -> bool:
    return (
        isinstance(position, list)
        and len(position) == 2
        and all(type(number) in (int, float) for number in position)
    )


def _has_altitude(position: object) -> bool:
    return isinstance(position, list) and len(position) == 3 and type(position[2]) in (int, float)
