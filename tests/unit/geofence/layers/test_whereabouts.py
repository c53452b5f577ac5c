"""Codes held to where their towns are: a wrong join of codes and outlines alerts another town."""

import pytest
import shapely

from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats.checks.whereabouts import check_whereabouts
from services.geofence.layers.kinds import Feature
from shared.connecticut import COUNTIES, FORECAST_ZONES, PLANNING_REGIONS, towns

NAMES = {town.name: town for town in towns()}
KENT, CANTON = NAMES["Kent"], NAMES["Canton"]


def around(*names: str) -> shapely.Polygon:
    """Return an outline that holds the middles of these towns."""
    return shapely.box(*shapely.MultiPoint([(NAMES[n].lon, NAMES[n].lat) for n in names]).bounds)


def faults(kind: str, *features: tuple[str, str, shapely.Geometry]) -> list[tuple[str, str]]:
    """Return pointers and codes of what is wrong."""
    try:
        check_whereabouts([Feature(*one) for one in features], kind)
    except LayerInvalid as invalid:
        return [(one.pointer, one.code) for one in invalid.faults]
    return []


def spot(name: str, east: float = 0.0) -> shapely.Polygon:
    """Return a small square around a town's middle, or so many degrees east of it."""
    return shapely.Point(NAMES[name].lon + east, NAMES[name].lat).buffer(0.01, quad_segs=1)


@pytest.mark.shows("G2", "C17")
@pytest.mark.parametrize("edition", ["geoid", "geoid_2022"])
def test_two_towns_whose_codes_changed_places_are_refused(edition: str) -> None:
    kent, canton = getattr(KENT, edition), getattr(CANTON, edition)
    right = ((kent, "Kent", spot("Kent")), (canton, "Canton", spot("Canton")))
    assert faults("town", *right) == []
    swapped = ((canton, "Kent", spot("Kent")), (kent, "Canton", spot("Canton")))
    assert sorted(set(faults("town", *swapped))) == [
        ("/features/0", "code-elsewhere"), ("/features/0", "name-of-another"),
        ("/features/1", "code-elsewhere"), ("/features/1", "name-of-another"),
    ]  # fmt: skip
    renamed = ((kent, "CANTON ", spot("Kent")), (canton, "Kent", spot("Canton")))
    assert [code for _, code in faults("town", *renamed)] == ["name-of-another"] * 2


@pytest.mark.shows("G2")
def test_an_outline_drawn_coarsely_may_miss_the_middle_by_a_kilometre() -> None:
    # The square reaches a hundredth of a degree to the west of where it stands.
    assert faults("town", (KENT.geoid, "Kent", spot("Kent", 0.018))) == []
    assert faults("town", (KENT.geoid, "Kent", spot("Kent", 0.020))) == [
        ("/features/0", "code-elsewhere")
    ]


@pytest.mark.shows("G2", "C17")
def test_counties_regions_and_zones_hold_their_towns() -> None:
    for kind, code_of, codes in (
        ("county", lambda town: town.county, [one.fips for one in COUNTIES]),
        ("planning_region", lambda town: town.region, [one.fips for one in PLANNING_REGIONS]),
        ("nws_zone", lambda town: town.nws_zone, [one.ugc for one in FORECAST_ZONES]),
        ("same", lambda town: f"0{town.county}", [one.same for one in COUNTIES]),
        ("same", lambda town: f"0{town.region}", [one.same for one in PLANNING_REGIONS]),
    ):
        for code in codes:
            own = [town.name for town in towns() if code_of(town) == code]
            assert faults(kind, (code, f"{kind} of ours", around(*own))) == []
            assert faults(kind, (code, f"{kind} of ours", spot(own[0]))) == [
                ("/features/0", "code-elsewhere")
            ]


@pytest.mark.shows("G2")
def test_a_zone_that_bears_the_name_of_another_is_refused() -> None:
    own = [town.name for town in towns() if town.nws_zone == "CTZ001"]
    assert faults("nws_zone", ("CTZ001", "Northern Litchfield", around(*own))) == []
    assert faults("nws_zone", ("CTZ001", "Hartford", around(*own))) == [
        ("/features/0", "name-of-another")
    ]


def test_what_the_gazetteer_does_not_know_is_the_owners_to_say() -> None:
    for kind in ("town", "psap", "evacuation_zone", "zip", "jurisdiction"):
        assert faults(kind, ("1", "Kent", spot("Canton"))) == []
