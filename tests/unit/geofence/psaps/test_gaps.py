"""Zones against the union of live alerts: held against a count of points."""

from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from services.geofence.psaps.coverage.gaps import LiveArea, Zone, ZoneCovered, cover_zones
from services.geofence.psaps.coverage.zones import ZoneStatus, needs_alert

SQUARE = shapely.box(-72.8, 41.5, -72.7, 41.6)


def zone(shape: BaseGeometry) -> Zone:
    """Make a zone under an order."""
    status = ZoneStatus("Z", "order", datetime(2026, 1, 1, tzinfo=UTC), "ada")
    return Zone(status, "Zone", shape)


def judge(shape: BaseGeometry, *alerts: BaseGeometry) -> ZoneCovered:
    """Hold one zone against alerts numbered from 1."""
    live = [LiveArea(UUID(int=n), 1, area) for n, area in enumerate(alerts, 1)]
    [judged] = cover_zones([zone(shape)], live)
    return judged


def numbers(judged: ZoneCovered) -> list[int]:
    """Return the numbers of the alerts that cover any of a zone."""
    return [alert_id.int for alert_id, _ in judged.alerts]


@pytest.mark.shows("G12")
def test_without_alerts_the_whole_zone_is_a_gap_however_much_is_tolerated() -> None:
    judged = judge(SQUARE)
    assert judged.uncovered_share == 1
    assert judged.uncovered_km2 == pytest.approx(92.6, abs=0.2)
    assert judged.is_gap(1.0)
    assert numbers(judged) == []


@pytest.mark.shows("G12")
def test_an_alert_beside_the_zone_or_touching_its_edge_covers_nothing() -> None:
    beside = shapely.box(-72.7, 41.5, -72.6, 41.6)
    corner = shapely.box(-72.7, 41.6, -72.6, 41.7)
    sliver = shapely.box(-72.700005, 41.5, -72.6, 41.6)
    judged = judge(SQUARE, beside, corner, sliver)
    assert numbers(judged) == []
    assert judged.is_gap(1.0)


@pytest.mark.shows("G12")
def test_several_alerts_together_cover_what_none_does_alone() -> None:
    west = shapely.box(-72.9, 41.4, -72.76, 41.7)
    middle = shapely.box(-72.77, 41.4, -72.73, 41.7)
    east = shapely.box(-72.73, 41.4, -72.6, 41.7)
    whole = judge(SQUARE, west, middle, east)
    assert numbers(whole) == [1, 2, 3]
    assert whole.uncovered_km2 == 0
    assert not whole.is_gap(0)
    part = judge(SQUARE, west, east)
    assert part.uncovered_share == pytest.approx(0.3, abs=1e-6)
    assert part.is_gap(0.29)
    assert not part.is_gap(0.31)


@pytest.mark.shows("G12")
def test_a_hole_of_an_alert_is_a_gap() -> None:
    hole = shapely.box(-72.76, 41.54, -72.74, 41.56)
    judged = judge(SQUARE, SQUARE.buffer(0.1).difference(hole))
    assert judged.uncovered_share == pytest.approx(0.04, abs=1e-4)
    assert judged.is_gap(0)


@pytest.mark.shows("G12")
@pytest.mark.parametrize(("metres", "gap"), [(0.5, False), (0.9, False), (1.2, True), (30, True)])
def test_only_rounding_is_left_out(metres: float, gap: bool) -> None:
    narrower = shapely.box(-72.8 + metres / 83_000, 41.5, -72.7, 41.6)
    judged = judge(SQUARE, narrower)
    assert judged.is_gap(0) is gap
    assert (judged.uncovered_km2 > 0) is gap


def test_a_zone_of_several_parts_is_covered_part_by_part() -> None:
    other = shapely.box(-72.5, 41.5, -72.4, 41.6)
    judged = judge(shapely.MultiPolygon([SQUARE, other]), SQUARE)
    assert judged.uncovered_share == pytest.approx(0.5)
    assert judged.is_gap(0.4)


def test_each_zone_is_judged_by_itself() -> None:
    far = shapely.box(-72.5, 41.5, -72.4, 41.6)
    live = [LiveArea(UUID(int=1), 1, SQUARE)]
    near, away = cover_zones([zone(SQUARE), zone(far)], live)
    assert (near.uncovered_share, away.uncovered_share) == (0, 1)
    assert cover_zones([], live) == []


BOX = st.builds(
    lambda west, south, wide, high: shapely.box(west, south, west + wide, south + high),
    st.floats(-72.9, -72.65),
    st.floats(41.4, 41.65),
    st.floats(0.005, 0.2),
    st.floats(0.005, 0.2),
)
GRID = np.stack(
    np.meshgrid(np.linspace(-72.7995, -72.7005, 60), np.linspace(41.5005, 41.5995, 60)), axis=-1
).reshape(-1, 2)


@pytest.mark.shows("G12")
@settings(max_examples=150, deadline=None)
@given(alerts=st.lists(BOX, max_size=6))
def test_the_uncovered_share_is_that_of_points_outside_every_alert(
    alerts: list[BaseGeometry],
) -> None:
    judged = judge(SQUARE, *alerts)
    inside = np.zeros(len(GRID), bool)
    for alert in alerts:
        inside |= shapely.intersects_xy(alert, GRID[:, 0], GRID[:, 1])
    assert judged.uncovered_share == pytest.approx(1 - inside.mean(), abs=0.06)
    if not inside.all():
        # A point in the open lies in a gap, unless the gap is thinner than a metre.
        assert judged.is_gap(0) or judged.uncovered_share < 1e-4


def test_orders_are_always_among_what_needs_an_alert() -> None:
    for at_least in ("order", "warning", "watch"):
        assert needs_alert("order", at_least=at_least)
        assert needs_alert("shelter", at_least=at_least)
        assert not needs_alert("none", at_least=at_least)
        assert not needs_alert("all_clear", at_least=at_least)
    assert not needs_alert("warning", at_least="order")
    assert needs_alert("warning", at_least="warning")
    assert not needs_alert("watch", at_least="warning")
    assert needs_alert("watch", at_least="watch")
