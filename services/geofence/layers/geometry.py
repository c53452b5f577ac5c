"""Reads a GeoJSON polygon strictly: what is wrong is refused with its place, never repaired."""

import math
import re
from dataclasses import dataclass
from itertools import chain

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from shared.connecticut import is_swapped

Ring = list[tuple[float, float]]

_REASON = re.compile(r"^(?P<what>[^\[]+)(?:\[(?P<x>\S+) (?P<y>\S+)\])?$")
_CODES = {
    "self-intersection": "self-intersection",
    "ring self-intersection": "self-intersection",
    "hole lies outside shell": "hole-outside-shell",
    "holes are nested": "nested-holes",
    "interior is disconnected": "disconnected-interior",
    "nested shells": "nested-polygons",
    "duplicate rings": "duplicate-rings",
    "too few points in geometry component": "too-few-points",
}
# RFC 7946 section 4: the only reference system, by the names older files give it.
_WGS_84 = {"urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "EPSG:4326"}

LARGE_POLYGON = 10_000
# Edges of a large polygon that are asked, and how many others the box of one may meet on average:
# combs, a zigzag and a circle of 200,000 vertices came to 3 or 4, a star to nearly all it has.
ASKED, ASKED_AT_ONCE, MOST_MET = 1_000, 10, 100


class GeometryRefused(Exception):
    """A geometry that cannot be used: a short code, a JSON pointer, a sentence."""

    def __init__(self, code: str, pointer: str, detail: str, *, status: int = 422) -> None:
        super().__init__(f"{code} at {pointer}: {detail}")
        self.code = code
        self.pointer = pointer
        self.detail = detail
        self.status = status


@dataclass(frozen=True, slots=True)
class Caps:
    """How much drawing is accepted before anything is made of it."""

    polygons: int = 100
    vertices: int = 10_000
    ring: int = 5_000


def read_polygon(
    geometry: object, *, pointer: str = "", caps: Caps | None = None
) -> Polygon | MultiPolygon:
    """Make a polygon or multipolygon of a GeoJSON geometry in degrees.

    Raises:
        GeometryRefused: it is anything but a valid, finite, two-dimensional, closed area.
    """
    if not isinstance(geometry, dict):
        raise GeometryRefused("geometry-required", pointer, "A geometry object is required.")
    kind = geometry.get("type")
    if kind not in ("Polygon", "MultiPolygon"):
        raise GeometryRefused(
            "unsupported-geometry", f"{pointer}/type", "Use a Polygon or a MultiPolygon."
        )
    check_crs(geometry, pointer=pointer)
    at = f"{pointer}/coordinates"
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list) or not coordinates:
        raise GeometryRefused("empty-geometry", at, "The geometry has no coordinates.")
    many = kind == "MultiPolygon"
    polygons = coordinates if many else [coordinates]
    if caps:
        _check_size(polygons, at, caps)
    parts = [
        _read_rings(rings, f"{at}/{number}" if many else at)
        for number, rings in enumerate(polygons)
    ]
    made = [Polygon(rings[0], rings[1:]) for rings in parts]
    for number, polygon in enumerate(made):
        _check_tangle(polygon, f"{at}/{number}" if many else at)
    area = MultiPolygon(made) if many else made[0]
    _check_valid(area, parts, at, many=many)
    return area


def edges_of(area: BaseGeometry) -> NDArray[np.float64]:
    """Return the edges of all rings, shape (n, 4): lon, lat, lon, lat in degrees."""
    rings = shapely.get_rings(shapely.get_parts(area))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    joined = ring[1:] == ring[:-1]
    return np.hstack([points[:-1][joined], points[1:][joined]])


def check_crs(member: dict[str, object], *, pointer: str) -> None:
    """Refuse a reference system other than WGS 84 (RFC 7946 section 4).

    Raises:
        GeometryRefused: the object names another one.
    """
    crs = member.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or name not in _WGS_84:
        raise GeometryRefused(
            "unsupported-crs", f"{pointer}/crs", "Coordinates must be WGS 84 longitude, latitude."
        )


def _check_size(polygons: list[object], at: str, caps: Caps) -> None:
    if len(polygons) > caps.polygons:
        raise GeometryRefused(
            "too-complex", at, f"At most {caps.polygons} polygons may be drawn.", status=413
        )
    total = 0
    for rings in polygons:
        for ring in rings if isinstance(rings, list) else ():
            size = len(ring) if isinstance(ring, list) else 0
            total += size
            if size > caps.ring or total > caps.vertices:
                raise GeometryRefused(
                    "too-complex",
                    at,
                    f"At most {caps.ring} vertices a ring and {caps.vertices} in all.",
                    status=413,
                )


def _read_rings(rings: object, at: str) -> list[Ring]:
    if not isinstance(rings, list) or not rings:
        raise GeometryRefused("empty-geometry", at, "The polygon has no rings.")
    return [_read_ring(ring, f"{at}/{number}") for number, ring in enumerate(rings)]


def _read_ring(ring: object, at: str) -> Ring:
    if not isinstance(ring, list) or not ring:
        raise GeometryRefused("empty-geometry", at, "The ring has no positions.")
    values = _plain_positions(ring)
    if values is None:
        values = np.array([_read_position(one, at, number) for number, one in enumerate(ring)])
    if len(values) < 4:
        raise GeometryRefused("too-few-points", at, "A ring needs four positions or more.")
    if values[0].tolist() != values[-1].tolist():
        raise GeometryRefused(
            "ring-not-closed", f"{at}/{len(values) - 1}", "The last position must equal the first."
        )
    read: Ring = list(zip(*values.T.tolist(), strict=True))
    if len(set(read)) < 3:
        raise GeometryRefused("zero-area", at, "A ring needs three different positions.")
    leaps = np.flatnonzero(np.abs(np.diff(values[:, 0])) > 180)
    if len(leaps):
        raise GeometryRefused(
            "antimeridian", f"{at}/{leaps[0] + 1}", "An edge may not cross the antimeridian."
        )
    if shapely.area(shapely.convex_hull(shapely.linestrings(values))) == 0:
        raise GeometryRefused("zero-area", at, "The ring encloses nothing.")
    return read


def _plain_positions(ring: list[object]) -> NDArray[np.float64] | None:
    """Read all positions at once, or None where one of them needs to be looked at by itself."""
    if set(map(type, ring)) != {list} or set(map(len, ring)) != {2}:  # type: ignore[arg-type]
        return None
    if not set(map(type, chain.from_iterable(ring))) <= {int, float}:  # type: ignore[arg-type]
        return None
    try:
        values = np.array(ring, np.float64)
    except OverflowError:
        return None
    return values if bool((np.abs(values) <= (180.0, 90.0)).all()) else None


def _read_position(position: object, at: str, number: int) -> tuple[float, float]:
    if not isinstance(position, list) or len(position) != 2:
        three = isinstance(position, list) and len(position) == 3
        code = "altitude-not-allowed" if three else "malformed-position"
        raise GeometryRefused(code, f"{at}/{number}", "A position is [longitude, latitude].")
    lon, lat = position
    # bool is an int to Python and nothing else.
    if type(lon) not in (int, float) or type(lat) not in (int, float):
        raise GeometryRefused("not-a-number", f"{at}/{number}", "Coordinates must be numbers.")
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise GeometryRefused("not-finite", f"{at}/{number}", "Coordinates must be finite.")
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        swapped = is_swapped(lon, lat)
        raise GeometryRefused(
            "swapped-coordinates" if swapped else "out-of-range",
            f"{at}/{number}",
            "Longitude comes first, then latitude."
            if swapped
            else "Longitude is -180 to 180 and latitude -90 to 90.",
        )
    return float(lon), float(lat)


def _check_tangle(polygon: Polygon, at: str) -> None:
    """Refuse a large polygon whose edges lie so near so many others that to check it takes long.

    Boxes are compared, which proves no crossing: many long slanting edges side by side are
    refused too. To find where a star of 100,000 vertices crosses itself takes over ten seconds.
    """
    if shapely.get_num_coordinates(polygon) < LARGE_POLYGON:
        return
    edges = np.asarray(shapely.linestrings(edges_of(polygon).reshape(-1, 2, 2)))
    some = edges[:: max(1, len(edges) // ASKED)]
    tree, met = STRtree(edges), 0
    for begin in range(0, len(some), ASKED_AT_ONCE):
        met += tree.query(some[begin : begin + ASKED_AT_ONCE]).shape[1]
        if met > MOST_MET * len(some):
            raise GeometryRefused(
                "too-complex", at, "Too many edges lie side by side or across.", status=413
            )


def _check_valid(area: BaseGeometry, parts: list[list[Ring]], at: str, *, many: bool) -> None:
    reason = shapely.is_valid_reason(area)
    if reason == "Valid Geometry":
        return
    match = _REASON.match(reason)
    what = match["what"].strip() if match else reason
    pointer, where = at, ""
    if match and match["x"]:
        x, y = float(match["x"]), float(match["y"])
        part, ring, vertex = _nearest(parts, x, y)
        pointer = f"{at}/{part}/{ring}/{vertex}" if many else f"{at}/{ring}/{vertex}"
        where = f" at longitude {x:.6f}, latitude {y:.6f}"
    raise GeometryRefused(_CODES.get(what.lower(), "invalid-geometry"), pointer, f"{what}{where}.")


def _nearest(parts: list[list[Ring]], x: float, y: float) -> tuple[int, int, int]:
    """Return the part, ring and first vertex of the edge nearest to a spot."""
    spot = shapely.Point(x, y)
    keys, edges = [], []
    for part, rings in enumerate(parts):
        for number, ring in enumerate(rings):
            for vertex in range(len(ring) - 1):
                keys.append((part, number, vertex))
                edges.append((ring[vertex], ring[vertex + 1]))
    distances = shapely.distance(shapely.linestrings(edges), spot)
    # Where two edges cross both are nearest, but for rounding: the first is named.
    return keys[int((distances <= distances.min() + 1e-9).argmax())]
