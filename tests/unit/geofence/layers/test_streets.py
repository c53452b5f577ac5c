"""Streets, numbers and towns that are written differently and mean the same, or do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.geofence.layers.formats.addresses.streets import (
    alike_number,
    alike_postal,
    alike_street,
    alike_town,
    written_street,
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
    ("one", "other"),
    [
        ("North Main Street", "N. MAIN ST"),
        ("Elm Street North", "ELM ST N"),
        ("Elm Street Extension", "Elm St Ext"),
        ("East Street Extension", "EAST ST EXT"),
        ("Saint John's Place", "ST JOHNS PL"),
        ("West Mount Pleasant Street", "W. Mt Pleasant St"),
        ("Court Street", "COURT ST."),
        ("First Avenue", "1st Ave"),
        ("Old Route 7", "OLD RT 7"),
        ("North Route 6 East", "N Rte 6 E"),
        ("Avenue A", "Ave. A"),
        ("Avenue N", "AVE N"),
        ("Mountain-View Terrace", "mountain view terr"),
    ],
)
def test_a_type_and_a_direction_may_be_short(one: str, other: str) -> None:
    assert written_street(one) == written_street(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("East Street", "E Street"),
        ("East Street Extension", "E Street Ext"),
        ("Court Street", "Ct St"),
        ("No Name Road", "North Name Road"),
        ("So Hill Road", "South Hill Road"),
        ("Avenue North", "Avenue N"),
        ("West Hill", "W Hill"),
        ("East Street 5", "E Street 5"),
        ("Mill River Road", "Ml Riv Rd"),
        ("Saint Street", "St St"),
        ("\xc9lm Street", "Lm Street"),
        ("Caf\xe9 Road", "Caf Road"),
        ("Main Saint", "Main Street"),
    ],
)
def test_what_is_a_name_is_not_shortened(one: str, other: str) -> None:
    assert alike_street(one) == alike_street(other)
    assert written_street(one) != written_street(other)


WORDS = st.sampled_from(
    "EAST E North n. Court CT Street St. Saint NO Name Ext Extension First 1st Route RT 7 A \xc9 "
    "Mt Mount Hill HL Avenue-Av O'Neil oneil".split()
)
NAMES = st.lists(WORDS, max_size=5).map(" ".join)


@given(NAMES, NAMES)
def test_streets_written_alike_have_one_key(one: str, other: str) -> None:
    if written_street(one) == written_street(other):
        assert alike_street(one) == alike_street(other)
    assert written_street(one.lower()) == written_street(one)


@pytest.mark.parametrize(
    ("given", "alike"),
    [
        ("12\xbd", "12 1/2"), ("12 \xbd", "12 1/2"), ("12\xbda", "12 1/2A"), ("\u2153", "1/3"),
        ("\uff11\uff12\uff21", "12A"), ("12\u201314", "12 14"), ("12\xa0a", "12A"),
        # Left out, these would leave another house.
        ("12\xb2", ""), ("12\u2460", ""), ("12\xe9", ""), ("12\u0662", ""), ("1\xad2", ""),
        ("12\u215f2", ""),
    ],
)  # fmt: skip
def test_numbers_in_other_signs_are_read_whole_or_not(given: str, alike: str) -> None:
    assert alike_number(given) == alike


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
