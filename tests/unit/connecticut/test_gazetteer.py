"""The gazetteer of facts: complete, consistent, and free of boundaries."""

import pytest

from shared.connecticut import (
    COUNTIES,
    FORECAST_ZONES,
    PLANNING_REGIONS,
    STATE_BOX,
    in_service_area,
    is_swapped,
    town_by_geoid,
    town_by_name,
    towns,
)


@pytest.mark.shows("G6")
def test_169_towns_each_with_one_county_region_and_zone() -> None:
    counties = {one.fips for one in COUNTIES}
    regions = {one.fips for one in PLANNING_REGIONS}
    zones = {one.ugc for one in FORECAST_ZONES}
    assert (len(towns()), len(counties), len(regions), len(zones)) == (169, 8, 9, 13)
    for town in towns():
        assert town.county in counties
        assert town.region in regions
        assert set(town.nws_zones) <= zones
        assert town.geoid == town.county + town.geoid[5:]
        assert town.geoid_2022 == town.region + town.geoid[5:]
        assert STATE_BOX.holds(town.lon, town.lat)
        assert town.population > 0
    assert {town.county for town in towns()} == counties
    assert {town.region for town in towns()} == regions


def test_population_is_the_states() -> None:
    assert sum(town.population for town in towns()) == 3_603_448


def test_a_town_is_found_by_either_geoid_and_by_its_name_in_any_case() -> None:
    andover = town_by_geoid("0901301080")
    assert andover is not None
    assert andover is town_by_geoid("0911001080")
    assert andover is town_by_name(" andover ")
    assert andover.county == "09013"
    assert andover.nws_zone == "CTZ003"
    assert town_by_name("East  Hartford") is not None
    assert town_by_geoid("0999999999") is None
    assert town_by_name("Springfield") is None


def test_same_codes_of_counties_and_regions() -> None:
    assert [one.same for one in COUNTIES][::7] == ["009001", "009015"]
    assert PLANNING_REGIONS[0].same == "009110"


@pytest.mark.parametrize(
    ("lon", "lat", "inside", "swapped"),
    [
        (-72.7, 41.7, True, False),
        (41.7, -72.7, False, True),
        (-72.0, 42.4, True, False),
        (-70.0, 41.0, False, False),
        (0.0, 0.0, False, False),
    ],
)
@pytest.mark.shows("bad:U15")
def test_the_service_area_and_swapped_numbers(
    lon: float, lat: float, inside: bool, swapped: bool
) -> None:
    assert in_service_area(lon, lat) is inside
    assert is_swapped(lon, lat) is swapped
