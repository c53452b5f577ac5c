"""Since when a number has been a centre's, without a break."""

from datetime import UTC, datetime

import pytest

from services.geofence.psaps.directory import Entry, Period
from services.geofence.psaps.ring_through.ringing import number_since


def periods(*told: str) -> list[Period]:
    """Make a year of each word: the digits of the numbers it has, or that it has ended."""
    made = []
    for number, words in enumerate(told):
        ended = words == "ended"
        numbers = () if ended else tuple(words)
        made.append(
            Period(
                code="A",
                entry=Entry("Centre", numbers, (), None, None),
                ended=ended,
                consolidated_into=None,
                valid_from=year(number),
                valid_until=year(number + 1) if number + 1 < len(told) else None,
                revision=1,
                superseded=False,
                recorded_at=year(0),
                recorded_by="ada",
            )
        )
    return made


def year(number: int) -> datetime:
    """Return the first moment of a year after 2020."""
    return datetime(2020 + number, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "at", "since"),
    [
        (("1",), 0, 0),
        (("1", "12", "1"), 2, 0),
        (("2", "12"), 1, 1),
        (("1", "2"), 1, None),
        (("1", "2", "1"), 2, 2),
        (("1", "ended", "1"), 2, 2),
        (("1", "ended"), 1, None),
        (("1", "2"), 0, 0),
        (("2", "1"), 0, None),
    ],
)
def test_a_number_that_came_back_begins_anew(
    told: tuple[str, ...], at: int, since: int | None
) -> None:
    found = number_since(periods(*told), kind="fallout", number="1", at=year(at))
    assert found == (None if since is None else year(since))
    assert number_since(periods(*told), kind="emergency", number="1", at=year(at)) is None


def test_a_period_holds_from_its_first_instant_to_before_its_last() -> None:
    first, second = periods("1", "2")
    assert first.holds(year(0))
    assert not first.holds(year(1))
    assert second.holds(year(1))
    assert second.holds(year(9))
    assert not second.holds(year(0))
