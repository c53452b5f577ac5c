"""Who is entered, who lies near, and what stays inside: by true metres, on the ground."""

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, STRtree

from services.geofence.areas.atlas import draw_sheet
from services.geofence.areas.jurisdictions import TOLERANCE_M, lies_in, near_to
from services.geofence.areas.measure import area_km2, areas_km2, flatten, from_plane, to_plane
from services.geofence.areas.shapes.circle import circle
from services.geofence.index.geodesy import travel
from services.geofence.layers.kinds import Feature
from tests.unit.geofence.areas.sheets import LAYER

GEOD = pyproj.Geod(ellps="WGS84")
NORTH, EAST, SOUTH, WEST = (0.0, 90.0, 180.0, 270.0)
in_state = st.tuples(st.floats(-73.8, -71.7), st.floats(40.9, 42.1))


def square(west: float, south: float, size: float = 0.1) -> Polygon:
    return shapely.box(west, south, west + size, south + size)


def ahead(lon: float, lat: float, bearing: float, metres: float) -> tuple[float, float]:
    """Return where pyproj arrives, which knows nothing of our formulas."""
    x, y, _ = GEOD.fwd(lon, lat, bearing, metres)
    return float(x), float(y)


def names_near(area: Polygon, *shapes: Polygon) -> list[tuple[str, float]]:
    features = [Feature(str(n), str(n), shape) for n, shape in enumerate(shapes)]
    tree = STRtree(flatten(list(shapes)))
    found = near_to(features, tree, area, entered=())
    return [(one.feature.code, one.distance_m) for one in found]


def test_the_plane_is_that_of_the_state() -> None:
    random = np.random.default_rng(2)
    points = random.uniform([-74.3, 40.5], [-71.2, 42.5], (2_000, 2))
    cone = pyproj.Proj("+proj=lcc +lat_1=41.2 +lat_2=41d52 +lat_0=0 +lon_0=-72.75 +ellps=WGS84")
    x, y = cone(points[:, 0], points[:, 1])
    ours = to_plane(points)
    assert np.abs(ours[:, 0] - x).max() < 1e-6
    assert np.ptp(ours[:, 1] - y) < 1e-5
    assert np.abs(from_plane(ours) - points).max() < 1e-12


@settings(max_examples=200, deadline=None)
@given(spot=in_state, bearing=st.floats(0, 360), metres=st.floats(1, 20_000))
def test_a_metre_on_the_plane_is_a_metre(
    spot: tuple[float, float], bearing: float, metres: float
) -> None:
    ends = to_plane(np.array([spot, ahead(*spot, bearing, metres)]))
    assert np.hypot(*(ends[1] - ends[0])) == pytest.approx(metres, rel=2e-4)


def test_areas_are_those_of_the_ellipsoid() -> None:
    drawn = [square(-72.9, 41.3), square(-71.9, 41.9, 0.05), circle(-72.7, 41.6, 5_000)]
    for shape, size in zip(drawn, areas_km2(drawn).tolist(), strict=True):
        # Its edges follow the shortest way, ours are straight in degrees: some 5e-5 apart.
        geodesic, _ = GEOD.geometry_area_perimeter(shapely.segmentize(shape, 0.001))
        assert size == pytest.approx(abs(geodesic) / 1e6, rel=1e-6)
        assert area_km2(shape) == size


@pytest.mark.shows("M19")
@pytest.mark.parametrize("bearing", [NORTH, EAST, SOUTH, WEST], ids=["n", "e", "s", "w"])
@pytest.mark.parametrize(("metres", "named"), [(4_990.0, True), (5_010.0, False)])
def test_five_kilometres_are_true_metres(bearing: float, metres: float, named: bool) -> None:
    area = circle(-72.7, 41.6, 1_000)
    # A house-sized town, its nearest corner or edge so far from the rim of the circle.
    lon, lat = ahead(-72.7, 41.6, bearing, 1_000 + metres + 7)
    town = circle(lon, lat, 7)
    found = names_near(area, town)
    assert bool(found) is named
    if found:
        assert found[0][1] == pytest.approx(metres, abs=0.2)


@pytest.mark.shows("M19")
@settings(max_examples=100, deadline=None)
@given(spot=in_state, bearing=st.floats(0, 360), metres=st.floats(100, 4_900))
def test_the_distance_is_along_the_ellipsoid(
    spot: tuple[float, float], bearing: float, metres: float
) -> None:
    other = ahead(*spot, bearing, metres)
    (found,) = names_near(circle(*spot, 20), circle(*other, 20))
    assert found[1] == pytest.approx(metres - 40, abs=0.2)


@pytest.mark.shows("M19")
def test_what_touches_is_near_and_what_is_entered_is_left_out() -> None:
    area, beside = square(-72.7, 41.5), square(-72.6, 41.5)
    far = square(-72.4, 41.5)
    assert names_near(area, beside, far) == [("0", 0.0)]
    # A long edge is straight in degrees, on the plane too: at its middle it runs 60 m off.
    long, above = shapely.box(-73.5, 41.0, -72.0, 41.5), square(-72.76, 41.5 + 0.0449, 0.02)
    ((_, metres),) = names_near(long, above)
    _, _, expected = GEOD.inv(-72.75, 41.5, -72.75, 41.5449)
    assert metres == pytest.approx(expected, abs=0.2)
    features = [Feature("0", "0", beside)]
    assert near_to(features, STRtree(flatten([beside])), area, entered={"0"}) == []


@pytest.mark.shows("G13")
def test_an_edge_beside_an_edge_enters_nobody() -> None:
    area = square(-72.7, 41.5)

    def town(code: str, shape: Polygon) -> Feature:
        return Feature(code, code, shape)

    beside = town("beside", square(-72.6, 41.5))
    within_a_metre = town("rounding", square(-72.6 - 9e-6, 41.5))
    two_metres = town("entered", square(-72.6 - 3e-5, 41.5))
    corner = town("corner", square(-72.6, 41.6))
    sheet = draw_sheet(LAYER, [beside, within_a_metre, two_metres, corner])
    assert [one.code for one in sheet.entered(area)] == ["entered"]
    assert draw_sheet(LAYER, []).entered(area) == []
    # Two metres on a border are in both, rather than in none.
    speck = shapely.box(-72.6 - 5e-6, 41.55, -72.6 + 5e-6, 41.55001)
    assert [one.code for one in sheet.entered(speck)] == ["beside", "entered", "rounding"]


@pytest.mark.shows("S11", "bad:A12")
@pytest.mark.parametrize("bearing", [NORTH, EAST, SOUTH, WEST], ids=["n", "e", "s", "w"])
@pytest.mark.parametrize(
    ("metres", "inside"), [(-50.0, True), (0.0, True), (0.9, True), (1.2, False), (30.0, False)]
)
def test_one_metre_outside_is_allowed_and_no_more(
    bearing: float, metres: float, inside: bool
) -> None:
    town = circle(-72.7, 41.6, 3_000)
    turn = np.radians([bearing])
    # The circle's rim stands up to 5 cm off the radius; measured from where it is.
    rim = town.boundary.intersection(shapely.LineString([(-72.7, 41.6), _out(turn)]))
    lon, lat = shapely.get_coordinates(rim)[0].tolist()
    x, y = ahead(lon, lat, bearing, metres)
    area = Polygon([(-72.7, 41.6), (x, y), ahead(-72.7, 41.6, bearing + 30, 500)])
    assert lies_in(area, town) is inside


def _out(turn: np.ndarray) -> tuple[float, float]:
    x, y = travel(-72.7, 41.6, turn, 6_000.0)
    return float(x[0]), float(y[0])


def test_a_jurisdiction_lies_in_itself() -> None:
    town = circle(-72.7, 41.6, 3_000)
    assert lies_in(town, town)
    assert not lies_in(shapely.box(-74, 40.5, -71.5, 42.3), town)
    assert TOLERANCE_M == 1.0
