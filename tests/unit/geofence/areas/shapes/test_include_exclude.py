"""Include less exclude, over any shapes: never more than included, never what is excluded."""

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from services.geofence.areas.area import normalise
from services.geofence.areas.shapes.assemble import assemble
from services.geofence.areas.shapes.draw import draw
from services.geofence.areas.shapes.read_area import read_area
from services.geofence.areas.shapes.unite import CRUMBS_DEG2
from services.geofence.layers.geometry import GeometryRefused

# On this grid edges coincide, corners touch and shapes equal one another all the time.
STEP = 0.02
WEST, SOUTH = -72.9, 41.4
CLEAR_DEG = 1e-9


def square(x: int, y: int, wide: int, high: int) -> dict[str, Any]:
    """Return a box of the grid."""
    west, south = WEST + x * STEP, SOUTH + y * STEP
    return sketch(shapely.box(west, south, west + wide * STEP, south + high * STEP))


def sketch(geometry: shapely.Geometry) -> dict[str, Any]:
    """Return a shape of a geometry."""
    return {"type": "geojson", "geometry": shapely.geometry.mapping(geometry)}


def listed(shape: Any) -> Any:
    """Return a shape with lists for tuples, as JSON has them."""
    if isinstance(shape, dict):
        return {name: listed(value) for name, value in shape.items()}
    return [listed(one) for one in shape] if isinstance(shape, (list, tuple)) else shape


def spiky(x: int, y: int, reaches: list[int]) -> dict[str, Any]:
    """Return a polygon whose corners lie at different distances around a spot."""
    angle = np.linspace(0, 2 * np.pi, len(reaches), endpoint=False)
    reach = np.array(reaches) * STEP / 2
    around = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    points = np.array([WEST + x * STEP, SOUTH + y * STEP]) + around
    return sketch(shapely.Polygon(points))


def circle(x: int, y: int, radius_m: int) -> dict[str, Any]:
    """Return a circle around a corner of the grid."""
    lon, lat = WEST + x * STEP, SOUTH + y * STEP
    return {"type": "circle", "lon": lon, "lat": lat, "radius_m": radius_m}


def dots(spots: list[tuple[int, int]], radius_m: int) -> dict[str, Any]:
    """Return points on the grid."""
    points = [[WEST + x * STEP, SOUTH + y * STEP] for x, y in spots]
    return {"type": "points", "points": points, "radius_m": radius_m}


SPOT = st.integers(0, 12)
SIZE = st.integers(1, 6)
SHAPE = st.one_of(
    st.builds(square, SPOT, SPOT, SIZE, SIZE),
    st.builds(spiky, SPOT, SPOT, st.lists(SIZE, min_size=5, max_size=12)),
    st.builds(circle, SPOT, SPOT, st.integers(200, 9_000)),
    st.builds(dots, st.lists(st.tuples(SPOT, SPOT), min_size=1, max_size=5), st.integers(1, 1_000)),
)
SHAPES = st.lists(SHAPE.map(listed), min_size=1, max_size=5)


def drawn(shapes: list[dict[str, Any]]) -> shapely.Geometry:
    """Return the union of shapes by another way than the product's."""
    included, _ = draw(read_area({"include": shapes}))
    return shapely.unary_union([one.polygon for one in included])


@settings(max_examples=150, deadline=None)
@given(include=SHAPES, exclude=SHAPES, seed=st.integers(0, 2**32 - 1))
@pytest.mark.shows("G3", "G10", "S05", "M13")
def test_what_is_left_is_what_is_included_and_not_excluded(
    include: list[dict[str, Any]], exclude: list[dict[str, Any]], seed: int
) -> None:
    whole, less = drawn(include), drawn(exclude)
    request = read_area({"include": include, "exclude": exclude})
    if shapely.area(shapely.difference(whole, less)) <= CRUMBS_DEG2:
        with pytest.raises(GeometryRefused, match="empty-area"):
            assemble(request)
        return
    left = assemble(request)
    assert shapely.is_valid(left)
    assert left.geom_type in ("Polygon", "MultiPolygon")
    assert all(part.area > 0 for part in shapely.get_parts(left))
    x, y = spots(shapely.union_all([whole, less]), seed)
    expected = shapely.intersects_xy(whole, x, y) & ~shapely.intersects_xy(less, x, y)
    assert (shapely.intersects_xy(left, x, y) == expected).all()
    # Nothing is lost and nothing is won.
    both = shapely.area(shapely.intersection(whole, less))
    assert left.area == pytest.approx(whole.area - both, rel=1e-9, abs=1e-15)


@settings(max_examples=80, deadline=None)
@given(include=SHAPES, seed=st.integers(0, 2**32 - 1))
@pytest.mark.shows("G13", "C10")
def test_the_union_holds_every_shape_and_nothing_else(
    include: list[dict[str, Any]], seed: int
) -> None:
    area = normalise([assemble(read_area({"include": include}))]).geometry
    parts = [one.polygon for one in draw(read_area({"include": include}))[0]]
    x, y = spots(shapely.union_all(parts), seed)
    inside = np.logical_or.reduce([shapely.intersects_xy(part, x, y) for part in parts])
    assert (shapely.intersects_xy(area, x, y) == inside).all()


@settings(max_examples=60, deadline=None)
@given(
    corners=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=2, max_size=40),
    wide=st.integers(1, 2),
)
@pytest.mark.shows("G3")
def test_shapes_that_stand_alone_are_united_with_those_that_touch(
    corners: list[tuple[int, int]], wide: int
) -> None:
    """Whatever is near another is united with it, and the others are added as they are."""
    include = [square(x, y, wide, 1) for x, y in corners]
    area = assemble(read_area(listed({"include": include})))
    whole = shapely.union_all([shapely.geometry.shape(one["geometry"]) for one in include])
    assert shapely.is_valid(area)
    assert len(shapely.get_parts(area)) == len(shapely.get_parts(whole))
    assert shapely.symmetric_difference(area, whole).area <= CRUMBS_DEG2


def spots(area: shapely.Geometry, seed: int) -> tuple[Any, Any]:
    """Return points in and around an area, none of them on its rim."""
    random = np.random.default_rng(seed)
    west, south, east, north = area.bounds
    corners = shapely.get_coordinates(area)
    near = corners[random.integers(0, len(corners), 200)] + random.uniform(-1e-6, 1e-6, (200, 2))
    far = random.uniform([west - STEP, south - STEP], [east + STEP, north + STEP], (600, 2))
    points = np.concatenate([near, far])
    clear = shapely.distance(shapely.boundary(area), shapely.points(points)) > CLEAR_DEG
    return tuple(points[clear].T)


@pytest.mark.shows("G10", "G3")
def test_the_rim_of_what_is_excluded_is_inside() -> None:
    area = assemble(
        read_area(listed({"include": [square(0, 0, 6, 6)], "exclude": [square(2, 2, 2, 2)]}))
    )
    corner_x, corner_y = WEST + 2 * STEP, SOUTH + 2 * STEP
    assert shapely.intersects_xy(area, corner_x, corner_y)
    assert shapely.intersects_xy(area, corner_x + STEP / 2, corner_y)
    assert not shapely.intersects_xy(area, corner_x + STEP, corner_y + STEP)


HOLED = shapely.difference(
    shapely.box(-72.9, 41.4, -72.6, 41.7), shapely.box(-72.8, 41.5, -72.7, 41.6)
)
REFUSED = {
    "only exclude": ({"exclude": [square(0, 0, 2, 2)]}, "include-required"),
    "include empty": ({"include": [], "exclude": [square(0, 0, 2, 2)]}, "include-required"),
    "include null": ({"include": None, "exclude": []}, "include-required"),
    "exclude null": ({"include": [square(0, 0, 2, 2)], "exclude": None}, "malformed-shape"),
    "exclude a shape": ({"include": [square(0, 0, 2, 2)], "exclude": square(0, 0, 1, 1)},
                        "malformed-shape"),
    "the same": ({"include": [square(0, 0, 2, 2)], "exclude": [square(0, 0, 2, 2)]}, "empty-area"),
    "bigger": ({"include": [square(2, 2, 2, 2)], "exclude": [square(0, 0, 6, 6)]}, "empty-area"),
    "in pieces": ({"include": [square(0, 0, 2, 2)],
                   "exclude": [square(0, 0, 1, 2), square(1, 0, 1, 2)]}, "empty-area"),
    "circle in square": ({"include": [circle(5, 5, 500)], "exclude": [square(4, 4, 2, 2)]},
                         "empty-area"),
    "around the hole": ({"include": [sketch(HOLED)],
                         "exclude": [sketch(shapely.box(-73, 41.3, -72.5, 41.8))]}, "empty-area"),
    "exclude nowhere": ({"include": [square(0, 0, 2, 2)],
                         "exclude": [sketch(shapely.box(0, 0, 1, 1))]}, "outside-service-area"),
    "exclude crossed": ({"include": [square(0, 0, 2, 2)], "exclude": [
        sketch(shapely.Polygon([(-72.8, 41.5), (-72.7, 41.6), (-72.7, 41.5), (-72.8, 41.6)]))]},
        "self-intersection"),
}  # fmt: skip


@pytest.mark.shows("G3", "S05", "bad:A01", "bad:A02")
@pytest.mark.parametrize("name", REFUSED)
def test_what_would_turn_inside_out_or_leave_nothing_is_refused(name: str) -> None:
    area, code = REFUSED[name]
    with pytest.raises(GeometryRefused) as refused:
        assemble(read_area(listed(area)))
    assert refused.value.code == code
    assert refused.value.status == 422


def test_an_exclude_that_touches_nothing_changes_no_digit() -> None:
    far = square(10, 10, 1, 1)
    alone = assemble(read_area(listed({"include": [square(0, 0, 2, 2)]})))
    both = assemble(read_area(listed({"include": [square(0, 0, 2, 2)], "exclude": [far]})))
    assert normalise([alone]).digest == normalise([both]).digest


def test_the_same_shape_on_both_sides_is_taken_away() -> None:
    """Each side forgets its own repetitions, not the other's shapes."""
    twice = [square(0, 0, 4, 4), square(1, 1, 1, 1), square(1, 1, 1, 1)]
    area = assemble(read_area(listed({"include": twice, "exclude": [square(1, 1, 1, 1)]})))
    assert area.area == pytest.approx(15 * STEP**2)


def test_only_surfaces_are_left_and_all_of_them() -> None:
    """Two squares that share a corner are left of three; no line stays where a side was."""
    area = assemble(
        read_area(
            listed(
                {
                    "include": [square(0, 0, 1, 1), square(1, 1, 1, 1), square(1, 0, 1, 1)],
                    "exclude": [square(1, 0, 1, 1)],
                }
            )
        )
    )
    assert area.geom_type == "MultiPolygon"
    assert area.area == pytest.approx(2 * STEP**2)
