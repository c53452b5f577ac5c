"""Geocodes become towns by the gazetteer, and an unknown one becomes nothing."""

import pytest

from services.dispatcher.cap.geocodes import GeocodeRefused, towns_of


@pytest.mark.shows("C17")
@pytest.mark.parametrize(("name", "value", "number"), [
    ("SAME", "009001", 23), ("same", "009009", 27), ("FIPS6", "009190", 18), ("UGC", "CTC003", 29),
    ("FIPS", "09001", 23), ("FIPS", "0900952070", 1), ("TOWN", "Kent", 1),
])  # fmt: skip
def test_known_codes_are_their_towns(name: str, value: str, number: int) -> None:
    found = towns_of(name, value)
    assert len(found) == len(set(found)) == number


@pytest.mark.shows("C17", "bad:C22")
@pytest.mark.parametrize(("name", "value", "code"), [
    ("SAME", "000000", "whole-country"), ("SAME", "036061", "unknown-geocode"),
    ("SAME", "109001", "unknown-geocode"), ("SAME", "9001", "unknown-geocode"),
    ("UGC", "CTZ002", "unknown-geocode"), ("NUTS2", "BE21", "unknown-geocode"),
    ("SAME", "", "unknown-geocode"), ("", "", "unknown-geocode"),
])  # fmt: skip
def test_unknown_codes_are_refused(name: str, value: str, code: str) -> None:
    with pytest.raises(GeocodeRefused) as refused:
        towns_of(name, value)
    assert refused.value.code == code
