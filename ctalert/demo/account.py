"""Accounts for every recipient: the rows, the simulators' ledgers and the seed's list."""

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

ACCEPTED = ("sms", "voice", "email")
FAILED = ("undelivered", "failed")
# Refusals that ask for another try later: they excuse nobody from being reached.
TEMPORARY = ("20429", "421", "450", "451", "452")


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
    line the simulators ever wrote. An address that a provider has refused for good or reported as
    failed is a reason and not a loss.
    """
    rows = {row["delivery_id"]: row for row in deliveries}
    lines = [line for line in ledger if line["kind"] in ACCEPTED and line["delivery_id"] in rows]
    accepts = Counter(line["delivery_id"] for line in lines)
    # A retry that a provider's own failure report asked for is another attempt, not a duplicate.
    failures = Counter(line["delivery_id"] for line in lines if _has_failed(line))
    reached = {(line["kind"], line["to"]) for line in lines}
    handed_over = {key for key, row in rows.items() if row["handed_over_at"]}
    return Account(
        missing=expected - reached - _excused(ledger),
        duplicates=sum(max(0, count - 1 - failures[key]) for key, count in accepts.items()),
        false_handed_over=len(handed_over - set(accepts)),
        phantom=len(reached - expected),
    )


def _excused(ledger: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    refused = {
        (line["of"], line["to"])
        for line in ledger
        if line["kind"] == "refused" and not str(line["code"]).startswith(TEMPORARY)
    }
    failed = {
        (line["kind"], line["to"])
        for line in ledger
        if line["kind"] in ACCEPTED and _has_failed(line)
    }
    return refused | failed


def _has_failed(line: dict[str, Any]) -> bool:
    return any(step[0] in (*FAILED, "busy", "no-answer") for step in line["plan"])
