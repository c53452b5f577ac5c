"""A test that a number rings straight through, and how one may turn out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.geofence.psaps.directory import NumberKind, Period

Outcome = Literal[
    "rang_through", "auto_attendant", "digits_to_press", "no_answer", "busy", "wrong_party"
]
RANG_THROUGH: Outcome = "rang_through"


@dataclass(frozen=True, slots=True)
class RingTest:
    """One call to one number of a centre: when, by whom, and what answered."""

    test_id: UUID
    code: str
    kind: NumberKind
    number: str
    tested_at: datetime
    outcome: Outcome
    note: str
    tested_by: str
    recorded_at: datetime


def number_since(
    periods: Sequence[Period], *, kind: NumberKind, number: str, at: datetime
) -> datetime | None:
    """Return since when a number has been a centre's without a break, or None if it is not at `at`.

    Tests of before count for nothing: a number that went and came back may ring elsewhere.
    `periods` are all of one centre, oldest first.
    """
    since: datetime | None = None
    for period in periods:
        if period.valid_from > at:
            break
        there = not period.ended and number in period.entry.numbers(kind)
        since = (since or period.valid_from) if there else None
    return since
