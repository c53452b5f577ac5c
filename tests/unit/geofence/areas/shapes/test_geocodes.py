"""Geocodes are towns by the gazetteer or features of a layer, and an unknown one is nothing."""

import pytest

from services.geofence.areas.shapes.geocodes import Meaning, WholeCountry, meaning_of
from shared.connecticut import COUNTIES, PLANNING_REGIONS, towns


def names(meaning: Meaning | None) -> set[str]:
    """Return the names of the towns a geocode stands for."""
    assert meaning is not None
    return {town.name for town in meaning.towns}


@pytest.mark.shows("C17")
@pytest.mark.parametrize(("scheme", "value", "number"), [
    ("SAME", "009001", 23), ("FIPS6", "009001", 23), ("FIPS", "09001", 23), ("UGC", "CTC001", 23),
    ("SAME", "009003", 29), ("SAME", "009005", 26), ("SAME", "009007", 15), ("SAME", "009009", 27),
    ("SAME", "009011", 21), ("SAME", "009013", 13), ("SAME", "009015", 15),
    ("SAME", "009110", 38), ("SAME", "009120", 6), ("SAME", "009130", 17), ("SAME", "009140", 19),
    ("SAME", "009150", 16), ("SAME", "009160", 21), ("SAME", "009170", 15), ("SAME", "009180", 19),
    ("SAME", "009190", 18), ("FIPS", "09190", 18), ("UGC", "CTC190", 18), ("SAME", "009000", 169),
    ("FIPS", "0900952070", 1), ("FIPS", "0917052070", 1), ("FIPS", "0952070", 1),
    ("TOWN", "0900952070", 1), ("TOWN", "new haven", 1), ("TOWN", "NEW HAVEN", 1),
])  # fmt: skip
def test_a_known_code_stands_for_its_towns(scheme: str, value: str, number: int) -> None:
    assert len(names(meaning_of(scheme, value))) == number


@pytest.mark.shows("C17")
def test_the_old_county_and_the_new_region_are_not_taken_for_one_another() -> None:
    """Fairfield county of old has 23 towns, the Western region 18, and 16 are in both."""
    county, region = names(meaning_of("SAME", "009001")), names(meaning_of("SAME", "009190"))
    assert "Bridgeport" in county - region
    assert "New Milford" in region - county
    assert len(county & region) == 16


@pytest.mark.shows("C17")
def test_a_towns_own_number_is_never_taken_for_a_region() -> None:
    """One town's part of the code is 09190 as well, and the region alone answers to it."""
    (town,) = (town for town in towns() if town.geoid.endswith("09190"))
    assert names(meaning_of("FIPS", town.geoid)) == {town.name}
    assert names(meaning_of("FIPS", "09" + town.geoid[5:])) == {town.name}
    assert len(names(meaning_of("FIPS", "09190"))) == 18


@pytest.mark.shows("C17")
@pytest.mark.parametrize("divisions", [COUNTIES, PLANNING_REGIONS])
def test_counties_and_regions_each_hold_every_town_once(divisions: tuple[object, ...]) -> None:
    found = [
        town.name
        for one in (COUNTIES if divisions is COUNTIES else PLANNING_REGIONS)
        for town in (meaning_of("SAME", one.same) or Meaning()).towns
    ]
    assert sorted(found) == sorted(town.name for town in towns())


@pytest.mark.shows("C17", "G6")
@pytest.mark.parametrize(("scheme", "value", "kind"), [
    ("UGC", "CTZ010", "nws_zone"), ("UGC", "ANZ335", "nws_zone"), ("UGC", "NYZ078", "nws_zone"),
    # Parts of counties, other states and waters: only where a layer of them is imported.
    ("SAME", "109001", "same"), ("SAME", "036061", "same"), ("FIPS6", "073335", "same"),
    ("SAME", "009002", "same"), ("SAME", "009999", "same"),
])  # fmt: skip
def test_what_is_no_town_is_a_feature_of_a_layer(scheme: str, value: str, kind: str) -> None:
    assert meaning_of(scheme, value) == Meaning(kind=kind, code=value)


@pytest.mark.shows("C17", "bad:C22", "bad:A17", "S05")
@pytest.mark.parametrize(("scheme", "value"), [
    ("SAME", "9001"), ("SAME", "0090010"), ("SAME", "00900A"), ("SAME", ""), ("SAME", "*"),
    ("SAME", "٠٠٩٠٠١"), ("SAME", "09001"), ("UGC", "CTC002"), ("UGC", "NYC061"), ("UGC", "CTC000"),
    ("UGC", "CTZ"), ("UGC", "CTZALL"), ("UGC", "CTZ001>013"), ("UGC", "ctz001"), ("UGC", "009001"),
    ("FIPS", "09002"), ("FIPS", "09"), ("FIPS", "52070"), ("FIPS", "36061"), ("FIPS", "000000"),
    ("FIPS", "Kent"), ("TOWN", "Gondor"), ("TOWN", "09001"), ("TOWN", "Fairfield County"),
    ("NUTS2", "BE21"), ("ZIP", "06510"), ("STATE", "CT"), ("", ""),
])  # fmt: skip
def test_an_unknown_code_stands_for_nothing(scheme: str, value: str) -> None:
    assert meaning_of(scheme, value) is None


@pytest.mark.shows("bad:C22", "S05")
@pytest.mark.parametrize("value", ["000000", "100000", "900000"])
@pytest.mark.parametrize("scheme", ["SAME", "FIPS6"])
def test_the_whole_country_is_refused(scheme: str, value: str) -> None:
    with pytest.raises(WholeCountry):
        meaning_of(scheme, value)
