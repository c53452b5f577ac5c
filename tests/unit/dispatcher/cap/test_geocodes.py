"""Geocodes of a message are asked about, refused or set aside for a person; never guessed."""

import pytest

from services.dispatcher.cap.geocodes import GeocodeRefused, Geocodes


def add(*pairs: tuple[str, str]) -> Geocodes:
    """Take the geocodes of one area."""
    codes = Geocodes()
    codes.add(pairs)
    return codes


@pytest.mark.shows("C17")
@pytest.mark.parametrize(("name", "value", "scheme"), [
    ("SAME", "009001", "SAME"), ("same", "009190", "SAME"), (" FIPS6 ", "009000", "FIPS6"),
    ("UGC", "CTZ010", "UGC"), ("UGC", "CTC009", "UGC"), ("FIPS", "09001", "FIPS"),
    ("GEOID", "0900952070", "FIPS"), ("TOWN", "New Haven", "TOWN"),
    # Nobody knows these here, but somebody may: the geofence, or a person.
    ("SAME", "036061", "SAME"), ("SAME", "109001", "SAME"), ("SAME", "073335", "SAME"),
    ("SAME", "009002", "SAME"), ("UGC", "NYC061", "UGC"), ("TOWN", "Gondor", "TOWN"),
])  # fmt: skip
def test_a_code_is_asked_about_as_it_came(name: str, value: str, scheme: str) -> None:
    found = add((name, value), (name, value))
    assert found.shapes == [{"type": "geocode", "scheme": scheme, "value": value}]
    assert found.unknown == []


@pytest.mark.shows("C17", "C10")
def test_codes_of_other_schemes_are_set_aside_and_named() -> None:
    found = add(("NUTS2", "BE21"), ("SAME", "009001"), ("NUTS2", "BE21"), ("EMMA_ID", "BE003"))
    assert found.unknown == ["NUTS2 BE21", "EMMA_ID BE003"]
    assert [one["value"] for one in found.shapes] == ["009001"]


@pytest.mark.shows("C17", "bad:C22", "S05")
@pytest.mark.parametrize(("name", "value", "status", "code"), [
    ("SAME", "000000", 403, "whole-country"), ("FIPS6", "000000", 403, "whole-country"),
    ("SAME", "500000", 403, "whole-country"),
    ("SAME", "9001", 422, "unknown-geocode"), ("SAME", "0090010", 422, "unknown-geocode"),
    ("SAME", "999999", 422, "unknown-geocode"), ("SAME", "099001", 422, "unknown-geocode"),
    ("SAME", "00900A", 422, "unknown-geocode"), ("SAME", "٠٠٩٠٠١", 422, "unknown-geocode"),
    ("SAME", "", 422, "unknown-geocode"), ("SAME", "*", 422, "unknown-geocode"),
    ("UGC", "CTZ", 422, "unknown-geocode"), ("UGC", "CTZ001>013", 422, "unknown-geocode"),
    ("UGC", "ctz010", 422, "unknown-geocode"), ("FIPS", "9", 422, "unknown-geocode"),
    ("FIPS", "99001", 422, "unknown-geocode"), ("TOWN", "", 422, "unknown-geocode"),
    ("TOWN", "x" * 101, 422, "unknown-geocode"), ("", "", 422, "unknown-geocode"),
    ("NUTS2", "", 422, "unknown-geocode"), ("", "BE21", 422, "unknown-geocode"),
    ("x" * 101, "1", 422, "unknown-geocode"),
])  # fmt: skip
def test_what_can_be_no_code_is_refused(name: str, value: str, status: int, code: str) -> None:
    with pytest.raises(GeocodeRefused) as refused:
        add(("SAME", "009001"), (name, value))
    assert (refused.value.status, refused.value.code) == (status, code)
