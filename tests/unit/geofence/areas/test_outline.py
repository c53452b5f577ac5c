"""An outline leaves nobody out, is no larger than asked for, and never crosses itself."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon

from services.geofence.areas.measure import area_km2
from services.geofence.areas.outlines.outline import FEWEST, Outline, outline
from services.geofence.areas.outlines.thin import rings_of, thin
from services.geofence.areas.shapes.circle import circle

Area = Polygon | MultiPolygon
pytestmark = pytest.mark.shows("G4")


def hold(area: Area, drawn: Outline, most: int) -> None:
    """Hold an outline to all that it promises."""
    assert shapely.is_valid(drawn.geometry)
    assert shapely.covers(drawn.geometry, area)
    assert drawn.vertices == shapely.get_num_coordinates(drawn.geometry) <= most
    grown = area_km2(drawn.geometry) / area_km2(area) - 1
    assert drawn.growth == pytest.approx(max(0.0, grown), abs=1e-9)


def star(lon: float, lat: float, radii: list[float]) -> Polygon:
    """Return a polygon with a corner in each direction, so that it never crosses itself."""
    turns = [2 * math.pi * n / len(radii) for n in range(len(radii))]
    return Polygon(
        [
            (lon + radius * math.cos(turn), lat + radius * math.sin(turn))
            for radius, turn in zip(radii, turns, strict=True)
        ]
    )


@st.composite
def stars(draw: st.DrawFn) -> Area:
    """Return stars beside each other, some of them with a star cut out."""
    made = []
    for column in range(draw(st.integers(1, 4))):
        count = draw(st.integers(3, 60))
        radii = draw(st.lists(st.floats(0.02, 0.045), min_size=count, max_size=count))
        one = star(-73 + 0.1 * column, 41.5, radii)
        if draw(st.booleans()):
            inner = star(-73 + 0.1 * column, 41.5, [0.2 * min(radii)] * draw(st.integers(3, 12)))
            one = Polygon(one.exterior, [inner.exterior])
        made.append(one)
    return made[0] if len(made) == 1 else MultiPolygon(made)


@st.composite
def heaps(draw: st.DrawFn) -> Area:
    """Return what boxes on a fine grid make together: steps, holes, rings, islands in holes."""
    corner = st.integers(0, 30)
    boxes = draw(st.lists(st.tuples(corner, corner, st.integers(1, 9), st.integers(1, 9)),
                          min_size=1, max_size=25))  # fmt: skip
    made = [
        shapely.box(-73 + x / 100, 41 + y / 100, -73 + (x + w) / 100, 41 + (y + h) / 100)
        for x, y, w, h in boxes
    ]
    united = shapely.union_all(made)
    assert isinstance(united, (Polygon, MultiPolygon))
    return united


@settings(max_examples=150, deadline=None)
@given(area=st.one_of(stars(), heaps()), most=st.sampled_from([FEWEST, 9, 12, 20, 40, 100]))
def test_nobody_is_left_out(area: Area, most: int) -> None:
    drawn = outline(area, most=most)
    hold(area, drawn, most)
    if shapely.get_num_coordinates(area) <= most:
        assert drawn.geometry == area
    else:
        written = shapely.get_coordinates(drawn.geometry)
        assert (np.round(written, 6) == written).all()


@settings(max_examples=100, deadline=None)
@given(area=st.one_of(stars(), heaps()), most=st.integers(4, 40))
def test_thinning_only_adds_and_keeps_rings_apart(area: Area, most: int) -> None:
    parts = list(area.geoms) if isinstance(area, MultiPolygon) else [area]
    thinned = thin(rings_of(parts), most=most)
    for part in thinned.polygons():
        assert shapely.is_valid(part)
    made = MultiPolygon(thinned.polygons())
    assert shapely.is_valid(made)
    # Where two edges are drawn out to meet, the last digit may be lost.
    assert shapely.covers(made.buffer(1e-9), area)
    assert thinned.coordinates <= max(most, shapely.get_num_coordinates(area))


@pytest.mark.parametrize("most", [FEWEST, 30, 100])
def test_a_circle_grows_little(most: int) -> None:
    area = circle(-72.7, 41.6, 50_000)
    drawn = outline(area, most=most)
    hold(area, drawn, most)
    # A regular polygon around a circle, corners counted once, is larger by tan(pi/n) n/pi.
    corners = drawn.vertices - 1
    best = corners / math.pi * math.tan(math.pi / corners) - 1
    assert drawn.growth <= 2.5 * best + 1e-3


def test_a_spiral_is_followed_and_then_given_up() -> None:
    turns = np.linspace(0, 6 * math.pi, 400)
    arm = [(-72.7 + 0.01 * t * math.cos(t), 41.6 + 0.01 * t * math.sin(t)) for t in turns]
    area = shapely.LineString(arm).buffer(0.01)
    assert isinstance(area, Polygon)
    fine, coarse = outline(area, most=200), outline(area, most=FEWEST)
    hold(area, fine, 200)
    hold(area, coarse, FEWEST)
    assert fine.growth < 0.05 < coarse.growth


def test_houses_of_a_list_are_wrapped_by_where_they_are() -> None:
    rng = np.random.default_rng(5)
    towns = [(-73.2, 41.2), (-72.0, 41.9)]
    spots = np.concatenate([rng.normal(town, 0.005, (400, 2)) for town in towns])
    area = shapely.union_all([circle(x, y, 30) for x, y in spots.tolist()])
    assert isinstance(area, MultiPolygon)
    for most in (FEWEST, 20, 1_000, 5_000):
        hold(area, outline(area, most=most), most)
    drawn = outline(area, most=100)
    hold(area, drawn, 100)
    # Nothing between the two, 120 km apart, is wrapped with them.
    assert not shapely.intersects(drawn.geometry, shapely.Point(-72.6, 41.55))


def test_a_hole_that_is_kept_has_only_shrunk() -> None:
    rim = star(-72.7, 41.6, [0.3 + 0.002 * (n % 2) for n in range(300)])
    hole = star(-72.7, 41.6, [0.2 + 0.002 * (n % 2) for n in range(300)])
    area = Polygon(rim.exterior, [hole.exterior])
    drawn = outline(area, most=60)
    hold(area, drawn, 60)
    assert isinstance(drawn.geometry, Polygon)
    (kept,) = drawn.geometry.interiors
    assert shapely.covers(hole, Polygon(kept))
    assert drawn.growth < 0.08


def test_fewer_coordinates_than_a_box_needs_are_no_outline() -> None:
    with pytest.raises(ValueError, match="8 coordinates"):
        outline(shapely.box(-73, 41, -72, 42), most=7)
