"""Makes polygons of what a caller drew: sketches, circles and points, capped before it is read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from shapely import MultiPolygon, Polygon

from services.geofence.areas.shapes.circle import circle, dot_spokes_of, dots, spokes_of
from services.geofence.areas.shapes.shape import Circle, Dots, Own, Request, Shape, Sketch, of_kind
from services.geofence.layers.geometry import Caps, GeometryRefused, read_polygon

CAPS = Caps()
# Each hole is held against every other: two thousand took a second, a thousand a quarter of it.
MOST_RINGS = 1_000
# Corners of circles, and of the polygons around points. They are ours, so they cost no reading;
# uniting them takes 0.7 µs each, around points that lie apart ten times as much.
MOST_CORNERS = 400_000
MOST_DOT_CORNERS = 100_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """A polygon of the caller's; of a circle its centre is known, and its rim may lie anywhere."""

    polygon: Polygon | MultiPolygon
    pointer: str
    centre: tuple[float, float] | None = None

    @property
    def is_round(self) -> bool:
        """Say whether it is the polygon of a circle or of a point."""
        return self.centre is not None


def draw(request: Request) -> tuple[list[Drawn], list[Drawn]]:
    """Return the polygons of the caller's own shapes, included and excluded ones, each once.

    Raises:
        GeometryRefused: there is too much of it, or it is no valid polygon.
    """
    _check_sketches(list(of_kind(request.shapes, Sketch)))
    _check_corners(request.shapes)
    return _draw_side(request.include), _draw_side(request.exclude)


def _draw_side(shapes: Sequence[Shape]) -> list[Drawn]:
    own = (shape for shape in shapes if isinstance(shape, (Sketch, Circle, Dots)))
    seen: set[object] = set()
    return [drawn for shape in own for drawn in _draw(shape, seen)]


def _draw(shape: Own, seen: set[object]) -> list[Drawn]:
    if isinstance(shape, Sketch):
        polygon = read_polygon(shape.geometry, pointer=shape.pointer, caps=CAPS)
        return [Drawn(polygon, shape.pointer)] if _is_new(polygon.wkb, seen) else []
    if isinstance(shape, Circle):
        key = (shape.lon, shape.lat, shape.radius_m)
        return [Drawn(circle(*key), shape.pointer, key[:2])] if _is_new(key, seen) else []
    points = {
        number: one
        for number, one in enumerate(shape.points)
        if _is_new((*one, shape.radius_m, "dot"), seen)
    }
    if not points:
        return []
    polygons = dots(np.array(list(points.values())), shape.radius_m)
    return [
        Drawn(polygon, f"{shape.pointer}/points/{number}", point)
        for (number, point), polygon in zip(points.items(), polygons, strict=True)
    ]


def _is_new(key: object, seen: set[object]) -> bool:
    new = key not in seen
    seen.add(key)
    return new


def _check_sketches(sketches: Sequence[Sketch]) -> None:
    """Refuse more drawing than is allowed, by its raw lists, before anything is made of it."""
    polygons = rings_in_all = vertices = 0
    for sketch in sketches:
        geometry = sketch.geometry if isinstance(sketch.geometry, dict) else {}
        coordinates = geometry.get("coordinates")
        many = coordinates if geometry.get("type") == "MultiPolygon" else [coordinates]
        for rings in many if isinstance(many, list) else ():
            polygons += 1
            for ring in rings if isinstance(rings, list) else ():
                size = len(ring) if isinstance(ring, list) else 0
                vertices += size
                rings_in_all += 1
                if size > CAPS.ring:
                    raise too_complex(f"{sketch.pointer}/coordinates")
        too_many = rings_in_all > MOST_RINGS or vertices > CAPS.vertices
        if too_many or polygons > CAPS.polygons:
            alone = len(sketches) == 1
            raise too_complex(f"{sketch.pointer}/coordinates" if alone else "/include")


def too_complex(at: str) -> GeometryRefused:
    """Return the refusal of more drawing than the caps allow."""
    detail = (
        f"At most {CAPS.polygons} polygons, {MOST_RINGS:,} rings and {CAPS.vertices:,} vertices"
        f" are drawn in all, and {CAPS.ring:,} vertices a ring."
    )
    return GeometryRefused("too-complex", at, detail, status=413)


def _check_corners(shapes: Sequence[Shape]) -> None:
    circles = {(one.lon, one.lat, one.radius_m) for one in of_kind(shapes, Circle)}
    corners = sum(spokes_of(radius_m) for _, _, radius_m in circles)
    dotted = sum(dot_spokes_of(one.radius_m) * len(one.points) for one in of_kind(shapes, Dots))
    if corners > MOST_CORNERS or dotted > MOST_DOT_CORNERS:
        detail = "There are too many circles of this size; draw one around them."
        raise GeometryRefused("too-complex", "/include", detail, status=413)
