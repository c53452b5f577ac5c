"""Accounts for every recipient: the rows, the simulators' ledgers and the seed's list."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ctalert.demo.people import Person

ACCEPTED = ("sms", "voice", "email")
FAILED = ("undelivered", "failed")
# Refusals that ask for another try later: they excuse nobody from being reached.
TEMPORARY = ("20429", "421", "450", "451", "452")
# After these the subscriber service is told, and counts the address as reachable no more.
REPORTED = ("21610", "21211", "550 5.1.1", "30006")
# After these an address is not tried any more, by whatever alert it was found out.
UNUSABLE = (*REPORTED, "30005")


@dataclass(frozen=True, slots=True)
class Account:
    """What does not add up; all zero when everybody is accounted for."""

    missing: Set[tuple[str, str]]
    duplicates: int
    false_handed_over: int
    phantom: int

    @property
    def lost(self) -> int:
        """The number of (channel, address) that nothing reached and no reason excuses."""
        return len(self.missing)

    @property
    def clean(self) -> bool:
        """Say whether every recipient is accounted for."""
        return not (self.lost or self.duplicates or self.false_handed_over or self.phantom)


def account(
    *,
    expected: set[tuple[str, str]],
    deliveries: Iterable[dict[str, Any]],
    ledger: Sequence[dict[str, Any]],
) -> Account:
    """Compare who should be reached, what the dispatcher says and what the providers received.

    expected: (channel, address); deliveries: rows of GET /v1/alerts/{id}/deliveries; ledger: every
    line the simulators ever wrote. An address that a provider has refused for good since these
    deliveries were made is a reason and not a loss; what it said before excuses only an address
    that it called unusable.
    """
    rows = {row["delivery_id"]: row for row in deliveries}
    lines = [line for line in ledger if line["kind"] in ACCEPTED and line["delivery_id"] in rows]
    accepts = Counter(line["delivery_id"] for line in lines)
    # A retry that a provider's own failure report asked for is another attempt, not a duplicate.
    failures = Counter(line["delivery_id"] for line in lines if _has_failed(line))
    reached = {(line["kind"], line["to"]) for line in lines}
    handed_over = {key for key, row in rows.items() if row["handed_over_at"]}
    return Account(
        missing=expected - reached - _excused(ledger, since=_made_at(rows.values())),
        duplicates=sum(max(0, count - 1 - failures[key]) for key, count in accepts.items()),
        false_handed_over=len(handed_over - set(accepts)),
        phantom=len(reached - expected),
    )


def reachable(people: Iterable[Person], ledger: Iterable[dict[str, Any]]) -> list[Person]:
    """Return those with an address that no provider has called unusable for good."""
    gone = {
        (line.get("of", line["kind"]), line["to"])
        for line in ledger
        if any(code.startswith(REPORTED) for code in _codes(line))
    }
    return [one for one in people if any((c.channel, c.address) not in gone for c in one.contacts)]


def _codes(line: dict[str, Any]) -> Iterator[str]:
    if line["kind"] == "refused":
        yield str(line["code"])
    elif line["kind"] in ACCEPTED:
        yield from (str(step[1]) for step in line["plan"])


def _made_at(rows: Iterable[dict[str, Any]]) -> float:
    times = (datetime.fromisoformat(row["created_at"]).timestamp() for row in rows)
    return min(times, default=math.inf)


def _excused(ledger: Iterable[dict[str, Any]], *, since: float) -> set[tuple[str, str]]:
    found = set()
    for line in ledger:
        if line["kind"] == "refused":
            code = str(line["code"])
            if code.startswith(UNUSABLE) or (
                line["at"] >= since and not code.startswith(TEMPORARY)
            ):
                found.add((line["of"], line["to"]))
        elif line["kind"] in ACCEPTED and any(str(step[1]) in UNUSABLE for step in line["plan"]):
            found.add((line["kind"], line["to"]))
    return found


def _has_failed(line: dict[str, Any]) -> bool:
    return any(step[0] in (*FAILED, "busy", "no-answer") for step in line["plan"])
