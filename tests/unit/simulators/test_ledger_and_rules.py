"""The ledger's lines and the rules' draws."""

import asyncio
from pathlib import Path

import orjson
import pytest

from simulators.ledger import Ledger
from simulators.rules import Rule, RuleBook, by_mailbox, by_number


def test_lines_are_numbered_and_read_back_by_kind(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for n in range(1234):
        assert ledger.append({"kind": "sms" if n % 2 else "refused", "v": n}) == n + 1
    lines = [orjson.loads(line) for line in ledger.read(after=700, kinds={"sms"})]
    assert [line["v"] for line in lines] == [n for n in range(700, 1234) if n % 2]
    assert len(list(ledger.read(limit=7))) == 7
    ledger.close()


async def test_a_torn_last_line_is_cut_and_numbering_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append({"kind": "sms"})
    await ledger.sync()
    ledger.close()
    with path.open("ab") as file:
        file.write(b'{"n":2,"kind":"s')
    ledger = Ledger(path)
    assert ledger.last == 1
    assert ledger.append({"kind": "voice"}) == 2
    assert [orjson.loads(line)["n"] for line in ledger.read()] == [1, 2]
    stop = asyncio.Event()
    stop.set()
    await ledger.run(stop)
    ledger.close()


def test_draws_repeat_whatever_the_order() -> None:
    numbers = [f"+1860555{n:04d}" for n in range(2000)]

    def hit(order: list[str], seed: int) -> set[str]:
        book = RuleBook()
        book.replace([Rule(probability=0.1)], seed=seed)
        return {number for number in order if book.find("sms", number) is not None}

    assert hit(numbers, 7) == hit(numbers[::-1], 7)
    assert hit(numbers, 7) != hit(numbers, 8)
    assert 120 < len(hit(numbers, 7)) < 280


def test_the_first_rule_that_fits_and_only_so_often() -> None:
    book = RuleBook()
    book.replace([Rule(to="+18605550001", times=2), Rule(kind="voice"), Rule(suffix="77")])
    first = [book.find("sms", "+18605550001") for _ in range(3)]
    assert [rule is not None for rule in first] == [True, True, False]
    assert book.find("voice", "+18605550002") is book.rules[1]
    assert book.find("sms", "+18605550077") is book.rules[2]
    assert book.find("sms", "+18605550078") is None


@pytest.mark.parametrize(
    ("kind", "to", "last"),
    [("sms", "+18605551234", "delivered"), ("sms", "+18605550003", "undelivered"),
     ("sms", "+18605550012", "sent"), ("voice", "+18605551234", "completed"),
     ("voice", "+18605550004", "busy"), ("voice", "+18605550008", "no-answer")],
)  # fmt: skip
def test_a_number_s_last_digits_decide(kind: str, to: str, last: str) -> None:
    receipts = by_number(kind, to).receipts  # type: ignore[arg-type]
    assert receipts is not None
    assert receipts[-1].status == last


def test_a_mailbox_s_name_decides() -> None:
    assert (by_mailbox("bounce@x.org") or "").startswith("550 5.1.1")
    assert (by_mailbox("ada+full@x.org") or "").startswith("552 5.2.2")
    assert by_mailbox("ada@x.org") is None
    assert by_mailbox("bouncer@x.org") is None
