"""The compliance report as CSV: whole, readable again, and inert in a spreadsheet."""

import csv
import io
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.geofence.psaps.ring_through.judge_compliance import (
    Compliance,
    NumberJudged,
    PsapJudged,
)
from services.geofence.psaps.ring_through.ringing import RingTest
from services.geofence.psaps.ring_through.write_csv import HEADER, write_csv
from shared.connecticut import town_by_name

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PAYLOADS = (
    '=HYPERLINK("http://x","y")', "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", " =1+1",
    "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)", '=cmd|" /C calc"!A0', "\n=1+1",
)  # fmt: skip


def report(name: str, *numbers: NumberJudged) -> Compliance:
    """Make a report of one centre of a name."""
    andover = town_by_name("Andover")
    assert andover is not None
    return Compliance(
        NOW,
        365,
        (PsapJudged("A", name, numbers, ("police",), False, 0),),
        (andover,),
        True,
        ("Z",),
    )


def number_tested(outcome: str) -> NumberJudged:
    """Make a number that was tested a day ago."""
    test = RingTest(
        UUID(int=1), "A", "fallout", "+18605550111", NOW, outcome, "", "ada", NOW  # type: ignore[arg-type]
    )  # fmt: skip
    return NumberJudged("fallout", test.number, test, 1, outcome == "rang_through")


def test_a_row_for_each_number_and_each_thing_missing() -> None:
    untested = NumberJudged("emergency", "+18605550112", None, None, False)
    text = write_csv(report("Centre, A", number_tested("rang_through"), untested))
    assert text.endswith("\r\n")
    header, *rows = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(header) == HEADER
    assert rows == [
        ["number", "A", "Centre, A", "fallout", "(860) 555-0111", "2026-06-01T12:00:00Z",
         "rang_through", "1", "yes"],
        ["number", "A", "Centre, A", "emergency", "(860) 555-0112", "", "untested", "", "no"],
        ["missing", "A", "Centre, A", "police", "", "", "", "", "no"],
        ["psap-without-boundary", "A", "Centre, A", "", "", "", "", "", "no"],
        ["psap-without-town", "A", "Centre, A", "", "", "", "", "", "no"],
        ["town-without-psap", "", "Andover", "", "", "", "", "", "no"],
        ["boundary-without-psap", "Z", "", "", "", "", "", "", "no"],
    ]  # fmt: skip


@pytest.mark.shows("S36")
@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_no_cell_is_a_formula(payload: str) -> None:
    text = write_csv(report(payload, number_tested("busy")))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[1][2] == f"'{payload}"
    for row in rows:
        assert len(row) == len(HEADER)
        for cell in row:
            assert cell[:1] not in tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
