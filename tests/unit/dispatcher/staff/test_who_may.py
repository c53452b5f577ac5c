"""Who may: fresh sign-ins, two persons, keys, and areas inside a jurisdiction."""

from datetime import UTC, datetime, timedelta

import pytest
import shapely
from shapely.geometry import box

from services.dispatcher.staff.jurisdictions import covers
from services.dispatcher.staff.keys import is_key, make_key
from services.dispatcher.staff.people import are_two_persons, is_fresh, name_of
from shared.security.partner_keys import EXAMPLE, prefix_of
from shared.security.principal import Principal

NOW = datetime(2026, 1, 31, 21, tzinfo=UTC)
METRE_LON, METRE_LAT = 1 / 83_240, 1 / 111_320


def person(subject: str = "ada", **values: object) -> Principal:
    """Return somebody of the staff."""
    known = {"kind": "staff", "roles": frozenset({"manager"}), "town": "*", **values}
    return Principal(subject=subject, **known)  # type: ignore[arg-type]


@pytest.mark.shows("S07")
@pytest.mark.parametrize(("ago", "fresh"), [
    (0, True), (299, True), (301, False), (-30, True), (-3600, False), (None, False),
])  # fmt: skip
def test_a_sign_in_is_fresh_for_five_minutes(ago: int | None, fresh: bool) -> None:
    auth_time = None if ago is None else NOW - timedelta(seconds=ago)
    assert is_fresh(person(auth_time=auth_time), now=NOW) is fresh


@pytest.mark.shows("S01")
def test_the_same_subject_is_one_person_whatever_else_differs() -> None:
    name = name_of(person())
    assert not are_two_persons(person(roles=frozenset({"admin"}), town="0900952070"), name)
    assert are_two_persons(person("ben"), name, None)
    assert not are_two_persons(person("ben"), name, name_of(person("ben")))


def test_a_key_is_long_and_known_by_its_hash() -> None:
    key, other = make_key(), make_key()
    assert prefix_of(key.text) == key.prefix != other.prefix
    assert prefix_of(EXAMPLE)
    assert is_key(key.text, key.digest)
    assert not is_key(other.text, key.digest)
    assert not is_key(key.text[:-1] + "~", key.digest)
    for bad in ("", "ctp_x_y", key.text + "x", key.text.upper(), " " + key.text):
        assert prefix_of(bad) is None


@pytest.mark.shows("S11", "bad:A12")
@pytest.mark.parametrize(("metres", "inside"), [
    (-10.0, True), (0.0, True), (0.9, True), (1.1, False), (100.0, False),
])  # fmt: skip
def test_an_area_may_leave_its_town_by_rounding_only(metres: float, inside: bool) -> None:
    town = box(-72.9, 41.3, -72.8, 41.4)
    for area in (
        box(-72.89, 41.31, -72.8 + metres * METRE_LON, 41.39),
        box(-72.89, 41.31, -72.81, 41.4 + metres * METRE_LAT),
    ):
        assert covers(shapely.to_wkb(town), shapely.to_wkb(area)) is inside


def test_a_hole_in_the_town_is_not_the_town() -> None:
    town = box(-72.9, 41.3, -72.8, 41.4) - box(-72.86, 41.34, -72.84, 41.36)
    assert not covers(shapely.to_wkb(town), shapely.to_wkb(box(-72.88, 41.32, -72.82, 41.38)))
