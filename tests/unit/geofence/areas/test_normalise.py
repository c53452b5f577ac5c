"""One area, one digest; circles in true metres; an altered area is no area."""

import hashlib
import zlib
from base64 import b64encode

import numpy as np
import pytest
import shapely
from shapely import Polygon

from services.geofence.areas.area import AreaBroken, normalise, unpack
from services.geofence.areas.measure import area_km2
from services.geofence.areas.shapes.circle import OVERSHOOT_M, circle
from services.geofence.index.geodesy import distance_m, travel
from services.geofence.layers.geometry import GeometryRefused

SQUARE = shapely.box(-72.8, 41.5, -72.6, 41.7)


def packed(wkb: bytes) -> str:
    return b64encode(zlib.compress(wkb)).decode()


def digest(wkb: bytes) -> str:
    return hashlib.sha256(wkb).hexdigest()


def test_the_same_area_drawn_otherwise_has_the_same_digest() -> None:
    turned = Polygon(list(SQUARE.exterior.coords)[2:-1] + list(SQUARE.exterior.coords)[:3])
    assert turned.equals(SQUARE)
    assert normalise([SQUARE]).digest == normalise([turned.reverse()]).digest
    assert normalise([SQUARE]).digest != normalise([shapely.box(-72.8, 41.5, -72.6, 41.71)]).digest


@pytest.mark.shows("G5")
def test_every_digit_is_kept() -> None:
    drawn = Polygon([(-72.123456789012, 41.5), (-72.1, 41.512345678901), (-72.2, 41.6)])
    area = normalise([drawn])
    kept = set(shapely.get_coordinates(area.geometry).flatten().tolist())
    assert {-72.123456789012, 41.512345678901} <= kept


@pytest.mark.shows("G13")
def test_neighbours_become_one_without_a_seam() -> None:
    east = shapely.box(-72.6, 41.5, -72.4, 41.7)
    area = normalise([SQUARE, east])
    assert area.geometry.geom_type == "Polygon"
    assert shapely.intersects_xy(area.geometry, -72.6, 41.6)


def test_it_travels_and_arrives_the_same() -> None:
    area = normalise([SQUARE, shapely.box(-72.0, 41.5, -71.9, 41.7)])
    arrived = unpack(area.packed, digest=area.digest)
    assert arrived.wkb == area.wkb
    assert arrived.geometry.equals(area.geometry)


EMPTY = shapely.to_wkb(Polygon())
BOW_TIE = shapely.to_wkb(Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]))
LINE = shapely.to_wkb(shapely.LineString([(0, 0), (1, 1)]))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param("", digest(b""), id="missing"),
        pytest.param("AAAA", digest(b""), id="not compressed"),
        pytest.param("¡", digest(b""), id="not base64"),
        pytest.param(packed(b""), digest(b""), id="empty"),
        pytest.param(packed(b"\x01\x02"), digest(b"\x01\x02"), id="no geometry"),
        pytest.param(packed(EMPTY), digest(EMPTY), id="empty polygon"),
        pytest.param(packed(BOW_TIE), digest(BOW_TIE), id="self-crossing"),
        pytest.param(packed(LINE), digest(LINE), id="line"),
        pytest.param(normalise([SQUARE]).packed, digest(b"other"), id="altered"),
        pytest.param(normalise([SQUARE]).packed[:40], normalise([SQUARE]).digest, id="cut off"),
        pytest.param(packed(bytes(20_000_000)), digest(bytes(20_000_000)), id="bomb"),
    ],
)
@pytest.mark.shows("S05", "bad:K15")
def test_what_is_no_area_is_never_read_as_one(sent: str, expected: str) -> None:
    with pytest.raises(AreaBroken):
        unpack(sent, digest=expected)


def test_nothing_is_no_area() -> None:
    with pytest.raises(GeometryRefused, match="empty-area"):
        normalise([Polygon()])


@pytest.mark.parametrize("radius_m", [1.0, 500.0, 25_000.0, 100_000.0])
@pytest.mark.shows("G1")
def test_a_circle_is_in_true_metres(radius_m: float) -> None:
    area = circle(-72.7, 41.6, radius_m)
    bearing = np.random.default_rng(3).uniform(0, 2 * np.pi, 2_000)
    within, beyond = (
        travel(-72.7, 41.6, bearing, radius_m + extra) for extra in (-1e-4, OVERSHOOT_M + 0.01)
    )
    assert shapely.intersects_xy(area, *within).all()
    assert not shapely.intersects_xy(area, *beyond).any()
    rim = shapely.get_coordinates(area)
    middle = np.full(len(rim), -72.7), np.full(len(rim), 41.6)
    assert distance_m(*middle, rim[:, 0], rim[:, 1]).max() <= radius_m + OVERSHOOT_M + 1e-3


def test_square_kilometres() -> None:
    assert area_km2(circle(-72.7, 41.6, 1_000)) == pytest.approx(np.pi, rel=2e-4)
    # 12,308.78 between shortest ways, whose northern side bulges by 0.31.
    assert area_km2(shapely.box(0, 0, 1, 1)) == pytest.approx(12_308.47, rel=1e-6)
