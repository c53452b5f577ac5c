"""Streets, numbers and towns that are written differently and mean the same, or do not."""

import pytest

from services.geofence.layers.formats.addresses.streets import (
    alike_number,
    alike_postal,
    alike_street,
    alike_town,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("North Main Street", "N. MAIN ST"),
        ("Main St.", "  main   STREET "),
        ("Elm Ave", "ELM AVENUE"),
        ("Saint John's Place", "ST JOHNS PL"),
        ("St. John\u2019s Pl", "Saint Johns Place"),
        ("Berlin Turnpike", "Berlin Tpke"),
        ("First Avenue", "1st Ave"),
        ("Old Route 7", "OLD RT 7"),
        ("Mountain-View Terrace", "Mtn View Ter"),
        ("Court Street", "CT ST"),
        ("Avenue A", "Ave. A"),
    ],
)
def test_streets_that_are_the_same(one: str, other: str) -> None:
    assert alike_street(one) == alike_street(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Main Street", "Main Road"),
        ("North Main Street", "South Main Street"),
        ("Elm Street", "Elms Street"),
        ("East Street", "Easton Street"),
        ("1st Street", "1 Street"),
    ],
)
def test_streets_that_are_not_the_same(one: str, other: str) -> None:
    assert alike_street(one) != alike_street(other)


def test_an_alike_street_stays_as_it_is() -> None:
    for street in ("North Main Street", "Mountain View Terrace Extension", "Saint James Court"):
        assert alike_street(alike_street(street)) == alike_street(street)


@pytest.mark.parametrize(
    ("given", "alike"),
    [
        ("12", "12"), ("012", "12"), ("12 a", "12A"), ("12A", "12A"), ("12-14", "12 14"),
        ("12 1/2", "12 1/2"), (" 7 ", "7"), ("0", "0"), ("", ""), ("-", ""), ("12 ab", "12 AB"),
    ],
)  # fmt: skip
def test_numbers(given: str, alike: str) -> None:
    assert alike_number(given) == alike


def test_towns_and_postal_codes() -> None:
    assert alike_town("Town of East Hartford") == alike_town("EAST HARTFORD ") == "EAST HARTFORD"
    assert alike_town("City of New Haven") == "NEW HAVEN"
    assert alike_postal("06103-1234") == alike_postal("6103") == alike_postal(" 06103 ") == "06103"
    assert alike_postal("CT") == alike_postal("061") == ""
