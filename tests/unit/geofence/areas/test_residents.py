"""Residents are estimated by ground, and counts of a few are told as a few."""

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from services.geofence.areas.atlas import draw_sheet
from services.geofence.areas.disclosure import FEW, coarse, coarse_all, reach, sees_exact
from services.geofence.areas.measure import area_km2
from services.geofence.areas.residents import SLIVER, all_residents, entered_towns
from services.geofence.layers.kinds import Feature
from shared.connecticut import towns
from shared.security.principal import Principal
from tests.unit.geofence.areas.sheets import LAYER

KNOWN = towns()[:6]
FIELDS = [shapely.box(-73 + 0.1 * n, 41.5, -72.9 + 0.1 * n, 41.6) for n in range(len(KNOWN))]
SHEET = draw_sheet(
    LAYER,
    [Feature(town.geoid, town.name, field) for town, field in zip(KNOWN, FIELDS, strict=True)],
)
ALL = sum(town.population for town in KNOWN)


@settings(max_examples=100, deadline=None)
@given(
    west=st.floats(-73, -72.5), width=st.floats(0.001, 0.4),
    south=st.floats(41.5, 41.58), height=st.floats(0.001, 0.3),
)  # fmt: skip
def test_the_estimate_is_population_by_share_of_ground(
    west: float, width: float, south: float, height: float
) -> None:
    area = shapely.box(west, south, west + width, south + height)
    entered = entered_towns(SHEET, area)
    expected = {
        town.geoid: area_km2(within) / area_km2(field)
        for town, field in zip(KNOWN, FIELDS, strict=True)
        if not (within := shapely.intersection(area, field)).is_empty and within.area > 0
    }
    found = {one.town.code: one.share for one in entered}
    for code, share in expected.items():
        # What is entered by less than a metre is not entered.
        assert found.get(code, 0.0) == pytest.approx(share, abs=1e-9 if code in found else 2e-4)
    assert found.keys() <= expected.keys()
    people = all_residents(entered)
    assert people is not None
    assert 0 <= people <= ALL


def test_houses_count_in_the_towns_they_stand_in() -> None:
    """Each house is held against its own town: those astride a border against both."""
    spots = [(-73 + 0.0125 * n, 41.49 + 0.004 * (n % 30)) for n in range(60)]
    houses = shapely.union_all(shapely.buffer(shapely.points(spots), 0.003))
    assert len(shapely.get_parts(houses)) == 60
    for one in entered_towns(SHEET, houses):
        field = FIELDS[[town.geoid for town in KNOWN].index(one.town.code)]
        ground = area_km2(shapely.intersection(houses, field)) / area_km2(field)
        assert one.share == pytest.approx(ground, rel=1e-9)
    assert len(entered_towns(SHEET, houses)) == len(KNOWN)


def test_all_of_every_town_is_everybody() -> None:
    everything = shapely.box(-73.5, 41, -72, 42)
    for area in (everything, shapely.union_all(FIELDS)):
        entered = entered_towns(SHEET, area)
        assert [one.share for one in entered] == [1.0] * 6
        assert all_residents(entered) == ALL
        assert not any(one.is_sliver for one in entered)


@pytest.mark.shows("G13")
def test_a_little_of_a_town_is_pointed_out() -> None:
    for share, sliver in ((SLIVER * 0.9, True), (SLIVER * 1.1, False)):
        area = shapely.box(-73, 41.5, -72.9 + 0.1 * share, 41.6)
        entered = {one.town.code: one for one in entered_towns(SHEET, area)}
        assert entered.keys() == {KNOWN[0].geoid, KNOWN[1].geoid}
        assert entered[KNOWN[1].geoid].is_sliver is sliver
        # Only that part of it counts, not the town.
        assert entered[KNOWN[1].geoid].residents == pytest.approx(KNOWN[1].population * share)


def test_nowhere_lives_nobody_that_is_known() -> None:
    assert all_residents(entered_towns(SHEET, shapely.box(-71.9, 41, -71.8, 41.1))) is None
    stranger = draw_sheet(LAYER, [Feature("7", "Gondor", FIELDS[0])])
    assert all_residents(entered_towns(stranger, FIELDS[0])) is None


@given(st.integers(0, 10_000))
def test_a_few_are_told_as_a_few_and_more_in_fives(count: int) -> None:
    told = coarse(count)
    if 0 < count < FEW:
        assert told is None
    else:
        assert told is not None
        assert told % FEW == 0
        assert abs(told - count) <= 2
    assert coarse_all({"x": count}) == {"x": told}


def test_nobody_is_told_as_nobody() -> None:
    assert coarse(0) == 0
    assert [coarse(count) for count in (1, 4, 5, 7, 8)] == [None, None, 5, 5, 10]


@pytest.mark.parametrize(
    ("people", "residents", "expected"),
    [(10, 100.0, 0.1), (None, 100.0, None), (10, None, None), (10, 0.4, None), (0, 50.0, 0.0)],
)
def test_reach_is_known_where_both_are(
    people: int | None, residents: float | None, expected: float | None
) -> None:
    assert reach(people, residents) == expected


ANDOVER, ANSONIA = "0901301080", "0900901220"


@pytest.mark.shows("S14")
@pytest.mark.parametrize(
    ("roles", "town", "entered", "exact"),
    [
        ({"manager"}, "*", [ANDOVER, ANSONIA], True),
        ({"manager"}, "*", [], True),
        ({"viewer"}, "*", [ANDOVER], False),
        ({"viewer", "manager"}, ANDOVER, [ANDOVER], True),
        # By its planning region a town has another code, and is the same.
        ({"manager"}, ANDOVER, ["0911001080"], True),
        ({"manager"}, ANDOVER, [ANSONIA], False),
        ({"manager"}, ANDOVER, [ANDOVER, ANSONIA], False),
        # Nobody knows whose it is: no town was imported, or it lies in none.
        ({"manager"}, ANDOVER, [], False),
        ({"viewer"}, ANDOVER, [ANDOVER], False),
    ],
)
def test_who_may_issue_alerts_there_is_told_exactly(
    roles: set[str], town: str, entered: list[str], exact: bool
) -> None:
    assert sees_exact(Principal("x", "staff", frozenset(roles), town), towns=entered) is exact
