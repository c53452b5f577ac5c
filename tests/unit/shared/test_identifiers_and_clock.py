"""Identifiers in time order, derived identifiers, and times as CAP writes them."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import SystemClock, cap_time
from shared.identifiers import derive_id, new_id

PARTS = st.lists(
    st.text(max_size=4) | st.integers() | st.binary(max_size=4) | st.uuids(), max_size=4
)


def test_new_ids_are_version_7_and_sort_by_time() -> None:
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=False) as clock:
        ids = []
        for _ in range(50):
            ids.append(new_id())
            clock.shift(timedelta(milliseconds=1))
    assert ids == sorted(ids)
    assert {(one.version, one.variant) for one in ids} == {(7, RFC_4122)}
    assert len({new_id() for _ in range(10_000)}) == 10_000


@given(PARTS, PARTS)
def test_only_the_same_parts_give_the_same_id(one: list[str], other: list[str]) -> None:
    same_kinds = [type(part) for part in one] == [type(part) for part in other]
    assert (derive_id(*one) == derive_id(*other)) == (one == other and same_kinds)


def test_a_derived_id_never_changes() -> None:
    assert derive_id("ab", "c") != derive_id("a", "bc")
    assert str(derive_id("alert", 1, b"\x01")) == str(derive_id("alert", 1, b"\x01"))
    assert (derive_id("x").version, derive_id("x").variant) == (8, RFC_4122)


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 3, 8, 12, 0, 0, 999, tzinfo=UTC), "2026-03-08T12:00:00-00:00"),
        (
            datetime(2026, 3, 8, 12, tzinfo=timezone(timedelta(hours=-5))),
            "2026-03-08T12:00:00-05:00",
        ),
    ],
)
def test_cap_times_have_an_offset_and_no_fraction(moment: datetime, written: str) -> None:
    assert cap_time(moment) == written
    with pytest.raises(ValueError, match="time zone"):
        cap_time(moment.replace(tzinfo=None))


def test_the_clock_is_aware() -> None:
    assert SystemClock().now().tzinfo is UTC
