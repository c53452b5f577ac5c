"""Tests that numbers ring straight through, and the report of what is left to be done."""

import asyncio
import csv
import io
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from shared.connecticut import towns
from shared.db.session import execute
from tests.service.geofence.psaps.desk import (
    ANDOVER,
    ANSONIA,
    LONG_AGO,
    TOWNS,
    Desk,
    record,
)

PATH = "/v1/psaps/A/ring-through"
COMPLIANCE = "/v1/psaps/compliance"
FALLOUT, EMERGENCY = "+18605550110", "+18605550120"


def rang(**changes: Any) -> dict[str, Any]:
    """Make a test of A's fallout number that rang through a day before now."""
    return {
        "kind": "fallout",
        "number": FALLOUT,
        "tested_at": "2026-05-31T12:00:00Z",
        "outcome": "rang_through",
        **changes,
    }


async def keep(desk: Desk, key: str, body: dict[str, Any], *, code: str = "A") -> Any:
    """Keep a test that must be taken."""
    headers = desk.staff("manager", subject="bea") | {"Idempotency-Key": key}
    return await desk.ok(f"/v1/psaps/{code}/ring-through", body, **headers)


async def judged(desk: Desk, code: str = "A", **query: Any) -> dict[str, Any]:
    """Return the report's numbers of one centre by kind."""
    report = await desk.get(COMPLIANCE, **query)
    [psap] = [one for one in report["psaps"] if one["code"] == code]
    return {one["kind"]: one for one in psap["numbers"]}


async def test_a_test_is_kept_with_who_made_it(desk: Desk) -> None:
    await desk.open_three()
    made = await keep(desk, "1", rang(number="(860) 555-0110", note=" Second ring.\r\nFine. "))
    assert made["number"] == FALLOUT
    assert made["tested_by"] == "bea"
    assert made["note"] == "Second ring.\nFine."
    page = await desk.get(PATH)
    assert page == {"tests": [made], "after": None}
    number = (await judged(desk))["fallout"]
    assert number == {
        "kind": "fallout", "number": FALLOUT, "tested_at": "2026-05-31T12:00:00Z",
        "outcome": "rang_through", "age_days": 1, "compliant": True,
    }  # fmt: skip


@pytest.mark.shows("bad:J26")
async def test_the_same_request_again_is_the_same_test(desk: Desk) -> None:
    await desk.open_three()
    headers = desk.staff("manager", subject="bea")
    without = await desk.post(PATH, rang(), **headers)
    assert (without.status_code, without.json()["type"].rpartition(":")[2]) == (
        428, "idempotency-key-required",
    )  # fmt: skip
    headers |= {"Idempotency-Key": "k"}
    answers = await asyncio.gather(*(desk.post(PATH, rang(), **headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sorted(answer.headers.get("idempotent-replayed", "") for answer in answers) == [
        "", "true", "true", "true", "true",
    ]  # fmt: skip
    other = await desk.post(PATH, rang(outcome="busy"), **headers)
    assert (other.status_code, other.json()["type"].rpartition(":")[2]) == (
        422, "idempotency-key-reused",
    )  # fmt: skip
    assert len((await desk.get(PATH))["tests"]) == 1
    # A key is its sender's own.
    mine = desk.staff("manager", subject="cleo") | {"Idempotency-Key": "k"}
    assert (await desk.post(PATH, rang(outcome="busy"), **mine)).status_code == 201
    assert len((await desk.get(PATH))["tests"]) == 2


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"number": "+18605550119"}, 422, "unknown-number", "/number"),
        ({"kind": "emergency"}, 422, "unknown-number", "/number"),
        ({"number": "911"}, 422, "short-code", "/number"),
        ({"kind": "police"}, 422, "literal-error", "/kind"),
        ({"outcome": "fine"}, 422, "literal-error", "/outcome"),
        ({"tested_at": "2026-06-01T12:02:00Z"}, 422, "in-future", "/tested_at"),
        ({"tested_at": "2019-01-01T00:00:00Z"}, 422, "unknown-number", "/number"),
        ({"tested_at": "2026-05-31T12:00:00"}, 422, "timezone-aware", "/tested_at"),
        ({"note": "x" * 501}, 422, "string-too-long", "/note"),
        ({"note": "\u202ehidden"}, 422, "control-char", "/note"),
        ({"tested_by": "someone else"}, 422, "unknown-field", "/tested_by"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_a_test_that_cannot_be_is_refused_and_not_kept(
    desk: Desk, change: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    await desk.open_three()
    headers = desk.staff("manager") | {"Idempotency-Key": "k"}
    answer = await desk.post(PATH, rang(**change), **headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["code"] == code
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await desk.get(PATH))["tests"] == []
    # The refused request has not used up its key.
    assert (await desk.post(PATH, rang(), **headers)).status_code == 201


@pytest.mark.shows("S10")
async def test_staff_of_a_town_test_the_centre_that_serves_it(desk: Desk) -> None:
    await desk.open_three()
    for town, status in ((ANDOVER, 201), ("0911001080", 201), (ANSONIA, 403), ("9", 403)):
        headers = desk.staff("manager", town=town) | {"Idempotency-Key": f"k{town}"}
        assert (await desk.post(PATH, rang(), **headers)).status_code == status, town
    viewer = desk.staff("viewer") | {"Idempotency-Key": "v"}
    assert (await desk.post(PATH, rang(), **viewer)).status_code == 403
    unknown = desk.staff("manager") | {"Idempotency-Key": "u"}
    assert (await desk.post("/v1/psaps/Q/ring-through", rang(), **unknown)).status_code == 404
    assert (await desk.ask("/v1/psaps/Q/ring-through")).status_code == 404
    assert len((await desk.get(PATH))["tests"]) == 2


async def test_the_last_test_counts_and_only_for_so_long(desk: Desk) -> None:
    await desk.open_three()
    assert (await judged(desk))["fallout"]["compliant"] is False
    assert (await judged(desk))["fallout"]["outcome"] is None
    await keep(desk, "1", rang(tested_at="2025-06-01T12:00:00Z"))
    number = (await judged(desk))["fallout"]
    assert (number["age_days"], number["compliant"]) == (365, True)
    late = (await judged(desk, at="2026-06-01T12:00:01Z"))["fallout"]
    assert (late["age_days"], late["compliant"]) == (365, False)
    await keep(desk, "2", rang(tested_at="2026-02-01T12:00:00Z", outcome="digits_to_press"))
    number = (await judged(desk))["fallout"]
    assert (number["outcome"], number["compliant"]) == ("digits_to_press", False)
    # A test of before that comes in later does not change which was the last.
    await keep(desk, "3", rang(tested_at="2026-01-01T12:00:00Z"))
    assert (await judged(desk))["fallout"]["outcome"] == "digits_to_press"
    assert (await judged(desk, at="2026-01-31T00:00:00Z"))["fallout"]["compliant"] is True
    await keep(desk, "4", rang(tested_at="2026-03-01T12:00:00Z"))
    assert (await judged(desk))["fallout"]["compliant"] is True
    assert (await judged(desk))["emergency"]["compliant"] is False


@pytest.mark.parametrize(
    "outcome", ["auto_attendant", "digits_to_press", "no_answer", "busy", "wrong_party"]
)
async def test_anything_but_ringing_through_is_not_compliant(desk: Desk, outcome: str) -> None:
    await desk.open_three()
    await keep(desk, "1", rang(outcome=outcome))
    assert (await judged(desk))["fallout"]["compliant"] is False


async def test_a_changed_number_has_no_test_nor_has_one_that_came_back(desk: Desk) -> None:
    await desk.open_three()
    await keep(desk, "1", rang(tested_at="2026-02-01T12:00:00Z"))
    path = "/v1/psaps/A/records"
    # Another name leaves the number where it is.
    await desk.ok(path, record("A", valid_from="2026-03-01T05:00:00Z", name="Centre One"))
    assert (await judged(desk))["fallout"]["compliant"] is True
    moved = record("A", valid_from="2026-04-01T04:00:00Z", fallout_numbers=["+18605550119"])
    await desk.ok(path, moved)
    number = (await judged(desk))["fallout"]
    assert (number["number"], number["outcome"]) == ("+18605550119", None)
    await desk.ok(path, record("A", valid_from="2026-05-01T04:00:00Z"))
    back = (await judged(desk))["fallout"]
    assert (back["number"], back["outcome"], back["compliant"]) == (FALLOUT, None, False)
    before = (await judged(desk, at="2026-03-15T00:00:00Z"))["fallout"]
    assert before["compliant"] is True


async def test_a_number_taken_over_by_another_centre_has_no_test_there(desk: Desk) -> None:
    await desk.open_three()
    await keep(desk, "1", rang(tested_at="2026-02-01T12:00:00Z"))
    at = "2026-04-01T04:00:00Z"
    await desk.ok("/v1/psaps/A/consolidation", {"into": "B", "valid_from": at})
    both = record("B", valid_from=at, fallout_numbers=["+18605550111", FALLOUT])
    await desk.ok("/v1/psaps/B/records", both)
    report = await desk.get(COMPLIANCE)
    assert [one["code"] for one in report["psaps"]] == ["B", "C"]
    assert {one["outcome"] for one in report["psaps"][0]["numbers"]} == {None}


async def test_the_report_names_everything_that_is_missing(desk: Desk) -> None:
    await desk.open_three()
    bare = {"code": "D", "valid_from": LONG_AGO, "name": "=Centre"}
    await desk.ok("/v1/psaps", bare)
    await desk.draw("psap", {"A": TOWNS[ANDOVER], "Z": TOWNS[ANSONIA]}, since="2026-02-01")
    report = await desk.get(COMPLIANCE)
    by_code = {one["code"]: one for one in report["psaps"]}
    assert by_code["A"]["missing"] == []
    assert by_code["D"]["missing"] == ["fallout", "emergency", "police", "interpreter"]
    assert by_code["D"]["towns"] == 0
    assert report["psaps_without_boundary"] == ["B", "C", "D"]
    assert report["boundaries_without_psap"] == ["Z"]
    assert len(report["towns_without_psap"]) == 166
    assert not report["compliant"]
    before = await desk.get(COMPLIANCE, at="2026-01-31T00:00:00Z")
    assert before["psaps_without_boundary"] == ["D"]
    text = await desk.ask(COMPLIANCE, format="csv")
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in text.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(text.text, newline="")))
    numbers = [row for row in rows if row["what"] == "number"]
    assert len(numbers) == 6
    assert {row["outcome"] for row in numbers} == {"untested"}
    assert sum(row["what"] == "town-without-psap" for row in rows) == 166
    assert {row["name"] for row in rows if row["psap"] == "D"} == {"'=Centre"}
    assert (await desk.ask(COMPLIANCE, format="xml")).status_code == 422


async def test_nothing_known_is_not_compliant(desk: Desk) -> None:
    report = await desk.get(COMPLIANCE)
    assert report["compliant"] is False
    assert report["boundaries_known"] is False
    assert report["psaps_without_boundary"] is None
    assert len(report["towns_without_psap"]) == 169


async def test_a_state_where_all_is_done_is_compliant(desk: Desk) -> None:
    await desk.draw("psap", {"A": TOWNS[ANDOVER]})
    every = [town.geoid for town in towns()]
    await desk.ok("/v1/psaps", {**record("A"), "code": "A", "towns": every})
    await keep(desk, "1", rang())
    assert (await desk.get(COMPLIANCE))["compliant"] is False
    await keep(desk, "2", rang(kind="emergency", number=EMERGENCY))
    report = await desk.get(COMPLIANCE)
    assert report["compliant"] is True
    assert report["psaps"][0]["compliant"] is True
    assert report["within_days"] == 365


async def test_tests_are_listed_in_pages_and_never_changed(desk: Desk) -> None:
    await desk.open_three()
    made = [await keep(desk, str(n), rang(tested_at=f"2026-05-0{n}T12:00:00Z")) for n in (1, 2, 3)]
    first = await desk.get(PATH, limit=2)
    second = await desk.get(PATH, limit=2, after=first["after"])
    assert [one["test_id"] for one in first["tests"] + second["tests"]] == [
        one["test_id"] for one in sorted(made, key=lambda one: one["test_id"], reverse=True)
    ]
    assert second["after"] is None
    for sql in (
        "UPDATE geofence_ring_through SET outcome = 'busy'",
        "DELETE FROM geofence_ring_through",
    ):
        with pytest.raises(DBAPIError, match="only ever added to"):
            async with desk.database.transaction(town="*") as tx:
                await execute(tx, sql)
