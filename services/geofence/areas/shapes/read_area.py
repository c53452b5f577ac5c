"""Reads an area as a caller writes it into the shapes it is made of; geometry stays unread."""

from collections.abc import Callable
from uuid import UUID

from services.geofence.areas.shapes.shape import (
    Circle,
    Coded,
    Dots,
    Named,
    Request,
    Saved,
    Shape,
    Sketch,
    of_kind,
)
from services.geofence.layers.geometry import GeometryRefused
from services.geofence.layers.kinds import KINDS
from shared.connecticut import is_swapped

# What a person draws; named features, which cost a few bytes each, may be ten times as many.
MOST_SHAPES = 250
MOST_NAMES = 2_500
LARGEST_RADIUS_M = 100_000.0
MOST_POINTS = 5_000
# A house and its yard; around a point that stands for an address nothing larger is meant.
POINT_RADIUS_M = 30.0
SMALLEST_POINT_RADIUS_M, LARGEST_POINT_RADIUS_M = 1.0, 1_000.0
LONGEST_CODE = 200
_HUGE = 1e300

Members = dict[str, object]


def read_area(area: object) -> Request:
    """Read `{"include": [shape, …], "exclude": [shape, …], "beside": [geocode, …]}`.

    All but `include` may be left out.

    Raises:
        GeometryRefused: no area, nothing included, or a shape that means nothing.
    """
    if not isinstance(area, dict) or not area:
        raise GeometryRefused("area-required", "", "An area is required.")
    _only(area, {"include", "exclude", "beside"}, "")
    include = area.get("include")
    if not isinstance(include, list) or not include:
        # Everything but something is never meant: it would turn an area inside out.
        code = "include-required" if "exclude" in area else "area-required"
        raise GeometryRefused(code, "/include", "Include one shape or more.")
    exclude = area.get("exclude", [])
    if not isinstance(exclude, list):
        raise GeometryRefused("malformed-shape", "/exclude", "Exclude a list of shapes.")
    request = Request(
        _read_shapes(include, "/include"),
        _read_shapes(exclude, "/exclude"),
        _read_beside(area.get("beside", [])),
    )
    drawn = sum(isinstance(shape, (Sketch, Circle, Dots)) for shape in request.shapes)
    if drawn > MOST_SHAPES:
        raise _too_many("/include", MOST_SHAPES)
    points = sum(len(shape.points) for shape in request.shapes if isinstance(shape, Dots))
    if points > MOST_POINTS:
        raise GeometryRefused(
            "too-complex", "/include", f"At most {MOST_POINTS:,} points in all.", status=413
        )
    return request


def _read_beside(shapes: object) -> tuple[Coded, ...]:
    if not isinstance(shapes, list):
        raise GeometryRefused("malformed-shape", "/beside", "A list of geocodes stands beside.")
    read = _read_shapes(shapes, "/beside")
    codes = tuple(of_kind(read, Coded))
    if len(codes) < len(read):
        at = next(shape.pointer for shape in read if not isinstance(shape, Coded))
        raise GeometryRefused("malformed-shape", at, "Nothing but geocodes stands beside shapes.")
    return codes


def _read_shapes(shapes: list[object], at: str) -> tuple[Shape, ...]:
    if len(shapes) > MOST_NAMES:
        raise _too_many(at, MOST_NAMES)
    return tuple(_read_shape(shape, f"{at}/{number}") for number, shape in enumerate(shapes))


def _too_many(at: str, most: int) -> GeometryRefused:
    return GeometryRefused("too-complex", at, f"At most {most:,} shapes.", status=413)


def _read_shape(shape: object, at: str) -> Shape:
    if not isinstance(shape, dict):
        raise GeometryRefused("malformed-shape", at, "A shape is an object with a type.")
    kind = shape.get("type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        known = ", ".join(_READERS)
        raise GeometryRefused("unsupported-shape", f"{at}/type", f"A shape is one of {known}.")
    return read(shape, at)


def _read_sketch(shape: Members, at: str) -> Sketch:
    _only(shape, {"type", "geometry"}, at)
    return Sketch(shape.get("geometry"), f"{at}/geometry")


def _read_circle(shape: Members, at: str) -> Circle:
    _only(shape, {"type", "lon", "lat", "radius_m"}, at)
    lon, lat, radius = (_number(shape, name, at) for name in ("lon", "lat", "radius_m"))
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise GeometryRefused(
            "out-of-range", at, "Longitude is -180 to 180 and latitude -90 to 90."
        )
    if not 0 < radius <= LARGEST_RADIUS_M:
        raise _bad_radius(at, f"more than 0 and at most {LARGEST_RADIUS_M:,.0f} metres")
    if abs(lat) > 85 or abs(lon) > 175:
        raise GeometryRefused("antimeridian", at, "A circle may not reach antimeridian or pole.")
    return Circle(lon, lat, radius, at)


def _read_dots(shape: Members, at: str) -> Dots:
    _only(shape, {"type", "points", "radius_m"}, at)
    points = shape.get("points")
    if not isinstance(points, list) or not points:
        raise GeometryRefused("empty-geometry", f"{at}/points", "Name one point or more.")
    if len(points) > MOST_POINTS:
        raise GeometryRefused(
            "too-complex", f"{at}/points", f"At most {MOST_POINTS:,} points.", status=413
        )
    radius = _number(shape, "radius_m", at) if "radius_m" in shape else POINT_RADIUS_M
    if not SMALLEST_POINT_RADIUS_M <= radius <= LARGEST_POINT_RADIUS_M:
        raise _bad_radius(at, f"1 to {LARGEST_POINT_RADIUS_M:,.0f} metres")
    read = (_position(point, f"{at}/points/{number}") for number, point in enumerate(points))
    return Dots(tuple(read), radius, at)


def _read_named(shape: Members, at: str) -> Named:
    _only(shape, {"type", "kind", "code", "name", "version"}, at)
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
        version=_version(shape, at),
    )


def _read_coded(shape: Members, at: str) -> Coded:
    _only(shape, {"type", "scheme", "value"}, at)
    scheme, value = shape.get("scheme"), shape.get("value")
    for member, given in (("scheme", scheme), ("value", value)):
        if not isinstance(given, str) or not given.strip() or len(given) > LONGEST_CODE:
            raise GeometryRefused("malformed-shape", f"{at}/{member}", "A text is required.")
    return Coded(str(scheme).strip().upper(), " ".join(str(value).split()), at)


def _read_saved(shape: Members, at: str) -> Saved:
    _only(shape, {"type", "saved_area_id", "version"}, at)
    try:
        saved_area_id = UUID(str(shape.get("saved_area_id")))
    except ValueError:
        raise GeometryRefused(
            "malformed-shape", f"{at}/saved_area_id", "The id of a saved area is required."
        ) from None
    return Saved(saved_area_id, _version(shape, at), at)


_READERS: dict[str, Callable[[Members, str], Shape]] = {
    "geojson": _read_sketch,
    "circle": _read_circle,
    "points": _read_dots,
    "feature": _read_named,
    "geocode": _read_coded,
    "saved": _read_saved,
}


def _version(shape: Members, at: str) -> int | None:
    version = shape.get("version")
    if version is None:
        return None
    if type(version) is not int or not 1 <= version < 2**31:
        raise GeometryRefused("malformed-shape", f"{at}/version", "A version is 1 or more.")
    return version


def _position(point: object, at: str) -> tuple[float, float]:
    if not isinstance(point, list) or len(point) != 2:
        raise GeometryRefused("malformed-position", at, "A position is [longitude, latitude].")
    lon, lat = (_finite(value, at) for value in point)
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        code = "swapped-coordinates" if is_swapped(lon, lat) else "out-of-range"
        raise GeometryRefused(code, at, "Longitude comes first, then latitude, in degrees.")
    return lon, lat


def _bad_radius(at: str, allowed: str) -> GeometryRefused:
    return GeometryRefused("radius-out-of-range", f"{at}/radius_m", f"The radius is {allowed}.")


def _number(shape: Members, name: str, at: str) -> float:
    return _finite(shape.get(name), f"{at}/{name}")


def _finite(value: object, at: str) -> float:
    # bool is an int to Python and nothing else; nothing compares with what is no number.
    if type(value) in (int, float) and -_HUGE < value < _HUGE:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise GeometryRefused("not-a-number", at, "A finite number is required.")


def _only(members: Members, known: set[str], at: str) -> None:
    for member in members:
        if member not in known:
            # The member's own name is the caller's text and is not repeated.
            raise GeometryRefused("unknown-member", at, f"Known here: {', '.join(sorted(known))}.")
