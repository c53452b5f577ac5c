"""Write the compliance report as CSV that no spreadsheet takes for formulas."""

import csv
import io
from collections.abc import Iterator

import phonenumbers

from services.geofence.psaps.answers import stamp
from services.geofence.psaps.ring_through.judge_compliance import Compliance, PsapJudged

HEADER = (
    "what", "psap", "name", "kind", "number", "last_test", "outcome", "age_days", "compliant",
)  # fmt: skip
# What a spreadsheet may begin a formula with (S36), full-width forms as well.
_FORMULA = frozenset("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20")
Row = tuple[str, ...]


def write_csv(report: Compliance) -> str:
    """Return the report as RFC 4180 has it: a row a number, and a row for each thing missing."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    writer.writerows([_inert(cell) for cell in row] for row in _rows(report))
    return out.getvalue()


def _rows(report: Compliance) -> Iterator[Row]:
    for psap in report.psaps:
        yield from _of_psap(psap)
    for town in report.towns_without_psap:
        yield ("town-without-psap", "", town.name, "", "", "", "", "", "no")
    for code in report.boundaries_without_psap:
        yield ("boundary-without-psap", code, "", "", "", "", "", "", "no")
    if not report.boundaries_known:
        yield ("no-psap-layer", "", "", "", "", "", "", "", "no")


def _of_psap(psap: PsapJudged) -> Iterator[Row]:
    for one in psap.numbers:
        tested = (stamp(one.test.tested_at), one.test.outcome) if one.test else ("", "untested")
        yield (
            "number", psap.code, psap.name, one.kind, _for_people(one.number), *tested,
            "" if one.age_days is None else str(one.age_days), "yes" if one.compliant else "no",
        )  # fmt: skip
    for kind in psap.missing:
        yield ("missing", psap.code, psap.name, kind, "", "", "", "", "no")
    if psap.has_boundary is False:
        yield ("psap-without-boundary", psap.code, psap.name, "", "", "", "", "", "no")
    if not psap.towns:
        yield ("psap-without-town", psap.code, psap.name, "", "", "", "", "", "no")


def _for_people(number: str) -> str:
    # With its plus sign a number would have to be quoted like a formula.
    parsed = phonenumbers.parse(number, None)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)


def _inert(cell: str) -> str:
    dangerous = cell[:1] in _FORMULA or cell.lstrip()[:1] in _FORMULA
    return f"'{cell}" if cell and dangerous else cell
