"""Around points: true metres, nobody lost, an event carries five thousand of them."""

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from services.geofence.areas.area import LARGEST_COMPRESSED, normalise, unpack
from services.geofence.areas.shapes.assemble import assemble
from services.geofence.areas.shapes.circle import DOT_OVERSHOOT_M, dots
from services.geofence.areas.shapes.read_area import MOST_POINTS, read_area
from services.geofence.index.geodesy import distance_m, travel
from services.geofence.layers.geometry import GeometryRefused

STATE = ([-73.7, 41.0], [-71.8, 42.0])


def area_of(points: Any, **more: Any) -> dict[str, Any]:
    """Return an area of points."""
    listed = points.tolist() if isinstance(points, np.ndarray) else points
    return {"include": [{"type": "points", "points": listed, **more}]}


@settings(max_examples=60, deadline=None)
@given(lon=st.floats(-73.7, -71.8), lat=st.floats(41.0, 42.0), radius_m=st.floats(1.0, 1_000.0))
@pytest.mark.shows("G11", "G1")
def test_around_a_point_everybody_within_the_radius_is_inside(
    lon: float, lat: float, radius_m: float
) -> None:
    (polygon,) = dots(np.array([[lon, lat]]), radius_m)
    bearing = np.random.default_rng(5).uniform(0, 2 * np.pi, 500)
    x, y = travel(lon, lat, bearing, radius_m)
    assert shapely.intersects_xy(polygon, x, y).all()
    corners = shapely.get_coordinates(polygon)
    far = distance_m(
        np.full(len(corners), lon), np.full(len(corners), lat), corners[:, 0], corners[:, 1]
    )
    assert far.max() <= radius_m + DOT_OVERSHOOT_M
    assert shapely.is_valid(polygon)


@pytest.mark.shows("G11")
@pytest.mark.parametrize("spread", ["one street", "one town", "the state"])
def test_an_event_carries_five_thousand_points(spread: str) -> None:
    wide = {"one street": 0.002, "one town": 0.05, "the state": 0.9}[spread]
    points = [-72.75, 41.5] + np.random.default_rng(7).uniform(-wide, wide, (MOST_POINTS, 2)) / 2
    area = normalise([assemble(read_area(area_of(points)))])
    assert shapely.intersects_xy(area.geometry, *points.T).all()
    assert len(area.packed) * 3 / 4 < LARGEST_COMPRESSED
    assert unpack(area.packed, digest=area.digest).wkb == area.wkb


def test_thirty_metres_are_meant_where_nothing_is_said() -> None:
    said = assemble(read_area(area_of([[-72.7, 41.6]], radius_m=30)))
    assert assemble(read_area(area_of([[-72.7, 41.6]]))).equals(said)


def test_a_point_named_twice_is_one_point() -> None:
    once = normalise([assemble(read_area(area_of([[-72.7, 41.6]])))])
    assert normalise([assemble(read_area(area_of([[-72.7, 41.6]] * 9)))]).digest == once.digest


AT = "/include/0"
BAD: dict[str, tuple[dict[str, Any], str, str, int]] = {
    "none": (area_of([]), "empty-geometry", f"{AT}/points", 422),
    "null": (area_of(None), "empty-geometry", f"{AT}/points", 422),
    "text": (area_of("-72.7,41.6"), "empty-geometry", f"{AT}/points", 422),
    "one number": (area_of([[-72.7]]), "malformed-position", f"{AT}/points/0", 422),
    "three numbers": (area_of([[-72.7, 41.6, 1]]), "malformed-position", f"{AT}/points/0", 422),
    "numbers as text": (area_of([["-72.7", "41.6"]]), "not-a-number", f"{AT}/points/0", 422),
    "true": (area_of([[True, 41.6]]), "not-a-number", f"{AT}/points/0", 422),
    "nan": (area_of([[float("nan"), 41.6]]), "not-a-number", f"{AT}/points/0", 422),
    "huge": (area_of([[10**400, 41.6]]), "not-a-number", f"{AT}/points/0", 422),
    "second is null": (area_of([[-72.7, 41.6], None]), "malformed-position", f"{AT}/points/1", 422),
    "swapped": (area_of([[41.6, -72.7]]), "swapped-coordinates", f"{AT}/points/0", 422),
    "far away": (area_of([[-72.7, 41.6], [-72.7, 41.6], [2.35, 48.85]]), "outside-service-area",
                 f"{AT}/points/2", 422),
    "out of range": (area_of([[-72.7, 99.0]]), "out-of-range", f"{AT}/points/0", 422),
    "no radius": (area_of([[-72.7, 41.6]], radius_m=0), "radius-out-of-range",
                  f"{AT}/radius_m", 422),
    "radius null": (area_of([[-72.7, 41.6]], radius_m=None), "not-a-number", f"{AT}/radius_m", 422),
    "radius of a town": (area_of([[-72.7, 41.6]], radius_m=1_001), "radius-out-of-range",
                         f"{AT}/radius_m", 422),
    "too many": (area_of([[-72.7, 41.6]] * 5_001), "too-complex", f"{AT}/points", 413),
    "too many in all": ({"include": [area_of([[-72.7, 41.6]] * 2_501)["include"][0]] * 2},
                        "too-complex", "/include", 413),
    "too large in all": (area_of([[-72.7, 41.6]] * 5_000, radius_m=1_000), "too-complex",
                         "/include", 413),
    "unknown": (area_of([[-72.7, 41.6]], buffer=7), "unknown-member", AT, 422),
}  # fmt: skip


@pytest.mark.shows("G11", "S05", "S31", "bad:A08", "bad:A09", "bad:A10", "bad:A16")
@pytest.mark.parametrize("name", BAD)
def test_bad_points_are_refused_with_their_place(name: str) -> None:
    area, code, pointer, status = BAD[name]
    with pytest.raises(GeometryRefused) as refused:
        assemble(read_area(area))
    assert (refused.value.code, refused.value.pointer, refused.value.status) == (
        code,
        pointer,
        status,
    )
