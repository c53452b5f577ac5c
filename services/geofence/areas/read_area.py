"""Reads an area as a caller writes it into the shapes it is made of."""

import math
from dataclasses import dataclass
from typing import TypeAlias

from shapely import MultiPolygon, Polygon

from services.geofence.areas.circle import circle
from services.geofence.layers.geometry import Caps, GeometryRefused, read_polygon
from services.geofence.layers.kinds import KINDS

MOST_SHAPES = 250
LARGEST_RADIUS_M = 100_000.0
CAPS = Caps()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A polygon drawn by the caller, or the polygon of a circle, whose rim may lie anywhere."""

    polygon: Polygon | MultiPolygon
    pointer: str
    is_circle: bool = False
    centre: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A feature of a layer by its code or its name, one of them."""

    kind: str
    code: str | None
    name: str | None
    pointer: str


Shape: TypeAlias = Drawn | Named


def read_area(area: object) -> list[Shape]:
    """Read `{"include": [shape, …]}`: geojson, circle and feature shapes.

    Raises:
        GeometryRefused: no area, or a shape that means nothing.
    """
    if not isinstance(area, dict) or not area:
        raise GeometryRefused("area-required", "", "An area is required.")
    _only(area, {"include"}, "")
    shapes = area.get("include")
    if not isinstance(shapes, list) or not shapes:
        raise GeometryRefused("area-required", "/include", "Include one shape or more.")
    if len(shapes) > MOST_SHAPES:
        raise GeometryRefused(
            "too-complex", "/include", f"At most {MOST_SHAPES} shapes.", status=413
        )
    return [_read_shape(shape, f"/include/{number}") for number, shape in enumerate(shapes)]


def _read_shape(shape: object, at: str) -> Shape:
    if not isinstance(shape, dict):
        raise GeometryRefused("malformed-shape", at, "A shape is an object with a type.")
    kind = shape.get("type")
    if kind == "geojson":
        _only(shape, {"type", "geometry"}, at)
        geometry = read_polygon(shape.get("geometry"), pointer=f"{at}/geometry", caps=CAPS)
        return Drawn(geometry, f"{at}/geometry")
    if kind == "circle":
        return _read_circle(shape, at)
    if kind == "feature":
        return _read_feature(shape, at)
    raise GeometryRefused(
        "unsupported-shape", f"{at}/type", "A shape is a geojson, a circle or a feature."
    )


def _read_circle(shape: dict[str, object], at: str) -> Drawn:
    _only(shape, {"type", "lon", "lat", "radius_m"}, at)
    lon, lat, radius = (_number(shape, name, at) for name in ("lon", "lat", "radius_m"))
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise GeometryRefused(
            "out-of-range", at, "Longitude is -180 to 180 and latitude -90 to 90."
        )
    if not 0 < radius <= LARGEST_RADIUS_M:
        raise GeometryRefused(
            "radius-out-of-range",
            f"{at}/radius_m",
            f"The radius is more than 0 and at most {LARGEST_RADIUS_M:,.0f} metres.",
        )
    if abs(lat) > 85 or abs(lon) > 175:
        raise GeometryRefused("antimeridian", at, "A circle may not reach antimeridian or pole.")
    return Drawn(circle(lon, lat, radius), at, is_circle=True, centre=(lon, lat))


def _read_feature(shape: dict[str, object], at: str) -> Named:
    _only(shape, {"type", "kind", "code", "name"}, at)
    kind = shape.get("kind")
    if kind not in KINDS:
        raise GeometryRefused("unknown-layer", f"{at}/kind", "There is no such kind of layer.")
    code, name = shape.get("code"), shape.get("name")
    given = [value for value in (code, name) if value is not None]
    if len(given) != 1 or not isinstance(given[0], str) or not given[0].strip():
        raise GeometryRefused("malformed-shape", at, "Name a feature by its code or its name.")
    return Named(
        kind=str(kind),
        code=code.strip() if isinstance(code, str) else None,
        name=" ".join(name.split()) if isinstance(name, str) else None,
        pointer=at,
    )


def _number(shape: dict[str, object], name: str, at: str) -> float:
    value = shape.get(name)
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise GeometryRefused("not-a-number", f"{at}/{name}", "A finite number is required.")
    return float(value)  # type: ignore[arg-type]


def _only(members: dict[str, object], known: set[str], at: str) -> None:
    for member in members:
        if member not in known:
            # The member's own name is the caller's text and is not repeated.
            raise GeometryRefused("unknown-member", at, f"Known here: {', '.join(sorted(known))}.")
