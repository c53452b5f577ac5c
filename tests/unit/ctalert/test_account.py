"""The demo's own account: what is missing, doubled or made up shows, whatever came before."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ctalert.demo.account import Account, account, reachable
from ctalert.demo.people import Contact, Person
from ctalert.demo.run import _print, _result
from shared.identifiers import new_id

MADE = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANN, BOB = ("sms", "+18605550101"), ("sms", "+18605550102")


def delivery(number: int, *, handed_over: bool = True) -> dict[str, Any]:
    at = MADE.isoformat()
    return {"delivery_id": f"d{number}", "created_at": at, "handed_over_at": handed_over and at}


def accept(who: tuple[str, str], number: int, *plan: tuple[str, int | None]) -> dict[str, Any]:
    return {"kind": who[0], "to": who[1], "delivery_id": f"d{number}",
            "plan": [list(step) for step in plan]}  # fmt: skip


def refuse(who: tuple[str, str], code: int | str, *, after_s: float) -> dict[str, Any]:
    at = MADE.timestamp() + after_s
    return {"kind": "refused", "of": who[0], "to": who[1], "code": code, "at": at}


def judge(*ledger: dict[str, Any], rows: int = 1) -> Account:
    deliveries = [delivery(n) for n in range(rows)]
    return account(expected={ANN, BOB}, deliveries=deliveries, ledger=ledger)


def test_who_was_not_reached_is_missing_by_name() -> None:
    assert judge(accept(ANN, 0)).missing == {BOB}
    assert judge(accept(ANN, 0), accept(BOB, 7)).missing == {BOB}
    assert judge(accept(ANN, 0), accept(BOB, 1), rows=2).clean


def test_doubled_made_up_and_strangers_are_counted() -> None:
    seen = judge(accept(ANN, 0), accept(ANN, 0), accept(("sms", "+1"), 2), rows=3)
    assert (seen.duplicates, seen.false_handed_over, seen.phantom) == (1, 1, 1)
    assert not seen.clean


@pytest.mark.parametrize(
    ("line", "excuses"),
    [
        (refuse(BOB, 21612, after_s=5), True),
        (refuse(BOB, 21612, after_s=-5), False),
        (refuse(BOB, 20429, after_s=5), False),
        (refuse(BOB, 21610, after_s=-5), True),
        (refuse(BOB, "550 5.1.1", after_s=-5), True),
        (accept(BOB, 7, ("sent", None), ("undelivered", 30005)), True),
        (accept(BOB, 7, ("sent", None), ("undelivered", 30003)), False),
    ],
)
def test_what_was_said_before_excuses_only_an_unusable_address(
    line: dict[str, Any], excuses: bool
) -> None:
    assert judge(accept(ANN, 0), line).lost == (0 if excuses else 1)


@pytest.mark.parametrize(
    ("lines", "counted"),
    [
        ([], True),
        ([refuse(ANN, 21211, after_s=-5)], True),
        ([refuse(ANN, 21610, after_s=-5), accept(BOB, 7, ("undelivered", 30006))], False),
        ([refuse(ANN, 21610, after_s=-5), accept(BOB, 7, ("undelivered", 30005))], True),
        ([refuse(("voice", one), 21211, after_s=-5) for _, one in (ANN, BOB)], True),
    ],
)
def test_who_lost_every_address_in_an_alert_of_before_is_expected_no_more(
    lines: list[dict[str, Any]], counted: bool
) -> None:
    phones = (Contact("sms", ANN[1]), Contact("sms", BOB[1]))
    one = Person(new_id(), "en", phones, ((-72.8, 41.5),))
    assert reachable([one], lines) == ([one] if counted else [])


def test_the_result_is_one_line_of_json_without_addresses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = {"handed_over": 1, "delivered": 1, "failed": 0, "awaiting_receipt": 0, "pending": 0}
    report = {
        "alert_id": "a", "audience": {"people": 2, "excluded": {}},
        **counts, "failed": {"total": 0, "by_reason": {}},
        "by_channel": {"sms": counts},
        "seconds_to": {"first": 0.1, "p50": 0.1, "p99": 0.2, "last": 0.2},
    }  # fmt: skip
    result = _result(report, judge(accept(ANN, 0)), expected=2, seconds=1.0)
    _print(result, as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["lost"], told["duplicates"], told["ok"]) == (1, 0, False)
    assert "+1860" not in line
    _print(result, as_json=False)
    assert "IT DOES NOT ADD UP" in capsys.readouterr().out
