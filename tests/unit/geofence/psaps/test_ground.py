"""Metres around a spot: held against the ellipsoid's own distances."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from services.geofence.index.geodesy import distance_m
from services.geofence.psaps.ground import edge_distance_m, metres_a_degree, wide_parts

LAT = st.floats(40.9, 42.1)
LON = st.floats(-73.8, -71.7)


@given(lon=LON, lat=LAT)
def test_a_degree_is_as_long_as_on_the_ellipsoid(lon: float, lat: float) -> None:
    east, north = metres_a_degree(lat)
    step = 1e-4
    there = np.array([lon]), np.array([lat])
    eastward = distance_m(*there, np.array([lon + step]), np.array([lat]))[0]
    northward = distance_m(
        there[0], np.array([lat - step / 2]), there[0], np.array([lat + step / 2])
    )[0]
    assert eastward == pytest.approx(east * step, rel=1e-6)
    assert northward == pytest.approx(north * step, rel=1e-6)


@given(lon=LON, lat=LAT, metres=st.floats(0.01, 500), north=st.booleans())
def test_the_distance_to_an_edge_is_in_true_metres(
    lon: float, lat: float, metres: float, north: bool
) -> None:
    east_m, north_m = metres_a_degree(lat)
    away = metres / (north_m if north else east_m)
    box = (
        shapely.box(lon - 0.05, lat + away, lon + 0.05, lat + 0.05)
        if north
        else shapely.box(lon + away, lat - 0.05, lon + 0.05, lat + 0.05)
    )
    assert edge_distance_m(box, lon, lat) == pytest.approx(metres, rel=1e-3, abs=1e-6)


@given(lat=LAT, width=st.floats(0.05, 20), turned=st.booleans())
def test_what_is_thinner_than_a_metre_is_rounding(lat: float, width: float, turned: bool) -> None:
    east_m, north_m = metres_a_degree(lat)
    wide, high = (width / east_m, 0.02) if turned else (0.02, width / north_m)
    strip = shapely.box(-72.5, lat, -72.5 + wide, lat + high)
    if width < 0.99:
        assert wide_parts(strip) == []
    elif width > 1.01:
        assert wide_parts(strip) == [strip]


def test_only_the_wide_parts_of_a_collection_remain() -> None:
    wide = shapely.box(-72.5, 41.5, -72.4, 41.6)
    thin = shapely.box(-72.3, 41.5, -72.299999, 41.6)
    parts = shapely.GeometryCollection(
        [
            shapely.MultiPolygon([wide, thin]),
            shapely.LineString([(-72, 41), (-72, 42)]),
            shapely.Point(-72, 41),
        ]
    )
    assert wide_parts(parts) == [wide]
    assert wide_parts(shapely.Polygon()) == []
