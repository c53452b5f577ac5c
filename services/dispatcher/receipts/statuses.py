"""What a provider's status means for a delivery."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from services.dispatcher.delivery.states import DeliveryState
from services.dispatcher.providers.twilio_codes import CALL_ENDS, MINUTE, Verdict, verdict_of

S = DeliveryState
# What the subscriber service is told of the address.
Report = Literal["opted_out", "invalid", "landline"]

_TEXT: dict[str, DeliveryState] = {
    "accepted": S.ACCEPTED,
    "scheduled": S.ACCEPTED,
    "queued": S.ACCEPTED,
    "sending": S.ACCEPTED,
    "sent": S.SENT,
    "delivered": S.DELIVERED,
    "read": S.DELIVERED,
}
_TEXT_ENDS = frozenset({"undelivered", "failed", "canceled"})
# Whatever a message reports after one of these is late, unless it arrived after all.
FAILURES = _TEXT_ENDS | frozenset(CALL_ENDS)
_CALL: dict[str, DeliveryState] = {
    "queued": S.ACCEPTED,
    "initiated": S.ACCEPTED,
    "ringing": S.ACCEPTED,
    "in-progress": S.SENT,
    "answered": S.SENT,
    "completed": S.DELIVERED,
}
# The report groups failures by these words.
_REASONS = {
    "temporary": "unreachable",
    "slow_down": "carrier_busy",
    "ambiguous": "provider_failed",
    "configuration": "sender_refused",
    "message": "message_fault",
    "invalid": "invalid_address",
    "opted_out": "opted_out",
    "landline": "landline",
    "refused": "refused",
    "lapsed": "expired",
}


_REPORTS: dict[str, Report] = {
    "invalid": "invalid",
    "opted_out": "opted_out",
    "landline": "landline",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """The state a receipt reports; `report` is what the subscriber service should know of it."""

    state: DeliveryState
    code: str | None = None
    reason: str | None = None
    retry_in_s: float | None = None
    report: Report | None = None
    page: bool = False
    unmapped: bool = False


def meaning_of(
    channel: str,
    status: str,
    *,
    error_code: str | None,
    answered_by: str | None,
    tries: Callable[[], int],
) -> Meaning | None:
    """Return what a status means, or None for one nobody knows.

    `tries` gives the attempts made so far; it is asked only where another may follow.
    """
    if channel == "voice":
        return _call(status, error_code, answered_by, tries)
    if status in _TEXT:
        return Meaning(_TEXT[status])
    if status not in _TEXT_ENDS:
        return None
    if status == "canceled":
        return Meaning(S.UNDELIVERED, reason="cancelled")
    verdict = verdict_of(_number(error_code))
    return _failure(verdict, error_code, tries)


def _call(
    status: str, error_code: str | None, answered_by: str | None, tries: Callable[[], int]
) -> Meaning | None:
    if status == "completed" and answered_by == "fax":
        return Meaning(S.UNDELIVERED, reason="fax")
    if status in _CALL:
        machine = (answered_by or "").startswith("machine")
        return Meaning(_CALL[status], reason="machine" if machine else None)
    if status not in CALL_ENDS:
        return None
    code = _number(error_code)
    verdict = verdict_of(code) if code is not None and status == "failed" else CALL_ENDS[status]
    meaning = _failure(verdict, error_code, tries)
    reason = {"busy": "busy", "no-answer": "no_answer"}.get(status, meaning.reason)
    return Meaning(
        meaning.state, meaning.code, reason, meaning.retry_in_s, meaning.report, meaning.page,
        meaning.unmapped,
    )  # fmt: skip


def _failure(verdict: Verdict, code: str | None, tries: Callable[[], int]) -> Meaning:
    reason = _REASONS[verdict.kind]
    report = _REPORTS.get(verdict.kind)
    if verdict.kind in ("temporary", "slow_down"):
        made = max(tries(), 1)
        if verdict.most_tries is None or made < verdict.most_tries:
            waits = verdict.waits_s or (MINUTE,)
            wait = waits[min(made, len(waits)) - 1]
            return Meaning(
                S.RETRY_WAIT, code, reason, retry_in_s=wait, page=verdict.page,
                unmapped=not verdict.known,
            )  # fmt: skip
    return Meaning(
        S.UNDELIVERED, code, reason, report=report, page=verdict.page, unmapped=not verdict.known
    )


def _number(code: str | None) -> int | None:
    if code is None or not code.isascii() or not code.isdigit() or len(code) > 6:
        return None
    return int(code)
