"""What Twilio's codes mean: one table for replies and receipts."""

from dataclasses import dataclass
from typing import Literal

from services.dispatcher.providers import base

Kind = Literal[
    "temporary", "slow_down", "ambiguous", "configuration", "message", "invalid", "opted_out",
    "landline", "refused", "lapsed",
]  # fmt: skip
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one code means: its kind, a sentence, and for a temporary one how often to try."""

    kind: Kind
    sentence: str
    most_tries: int | None = None
    waits_s: tuple[float, ...] = ()
    page: bool = False
    known: bool = True


_ACCOUNT = Verdict("configuration", "The account or sender may not send", page=True)
_OURS = Verdict("message", "What we sent was malformed", page=True)
_REGION = Verdict("refused", "This region is not enabled for the account", page=True)
_NO_NUMBER = Verdict("invalid", "This is no number that can be reached")
_BLOCKED = Verdict("refused", "The provider or carrier blocks this number")
_BUSY_SENDER = Verdict("slow_down", "The sender's queue is full")
_CARRIER = Verdict("temporary", "The carrier's queue is full", waits_s=(30, 60, 120, 240))
_CAP = Verdict("configuration", "The sender has used up its allowance", page=True)
_ONCE = Verdict("temporary", "An unknown error on the way", most_tries=2, waits_s=(MINUTE,))
_OTHER_SENDER = Verdict("temporary", "This sender cannot reach the number", most_tries=2)

TABLE: dict[int, Verdict] = {
    **dict.fromkeys((20429, 14107, 10004, 21611), _BUSY_SENDER),
    **dict.fromkeys((20500, 20503), Verdict("ambiguous", "The provider failed while answering")),
    **dict.fromkeys(
        (
            20003, 20005, 20006, 20008, 20403, 10001, 10002, 30002, 21603, 21606, 21607, 21701,
            21702, 21703, 21704, 21705, 21715, 21717, 21720, 30018, 30024, 30032, 30034,
        ),
        _ACCOUNT,
    ),
    **dict.fromkeys(
        (
            21205, 21402, 21609, 21626, 21624, 30012, 30013, 21602, 21605, 21617, 21618, 20001,
            20422,
        ),
        _OURS,
    ),
    **dict.fromkeys((21408, 21215, 13227), _REGION),
    **dict.fromkeys((21211, 21217, 21401, 21614, 21604, 13223, 14101, 30014), _NO_NUMBER),
    21610: Verdict("opted_out", "The number has texted STOP"),
    **dict.fromkeys((21612, 21214), _OTHER_SENDER),
    **dict.fromkeys((21216, 13225, 21608, 21219, 30004), _BLOCKED),
    **dict.fromkeys((30001, 30017, 30022), _CARRIER),
    **dict.fromkeys((30023, 30027), _CAP),
    30003: Verdict(
        "temporary", "The handset is unreachable", most_tries=4,
        waits_s=(MINUTE, 5 * MINUTE, 15 * MINUTE),
    ),
    30005: Verdict("refused", "The handset is unknown to its carrier"),
    30006: Verdict("landline", "The number is a landline and takes no text"),
    30007: Verdict("refused", "The carrier filtered the text"),
    **dict.fromkeys((30008, 30500), _ONCE),
    30036: Verdict("lapsed", "The text was not sent in its time"),
    34002: Verdict("temporary", "The line is busy", most_tries=4, waits_s=(MINUTE,)),
    13224: Verdict("refused", "The call failed"),
}  # fmt: skip

# How a call ends says what a code would.
CALL_ENDS: dict[str, Verdict] = {
    "busy": TABLE[34002],
    "no-answer": Verdict("temporary", "Nobody answered", most_tries=3, waits_s=(2 * MINUTE,)),
    "failed": TABLE[13224],
    "canceled": Verdict("lapsed", "The call was cancelled"),
}

_ERRORS: dict[Kind, type[base.ProviderError]] = {
    "temporary": base.Temporary,
    "slow_down": base.TooMany,
    "ambiguous": base.Ambiguous,
    "configuration": base.Misconfigured,
    "message": base.MessageFault,
    "invalid": base.InvalidAddress,
    "opted_out": base.OptedOut,
    "landline": base.Refused,
    "refused": base.Refused,
    "lapsed": base.Lapsed,
}


def verdict_of(code: int | None) -> Verdict:
    """Return what a code means; an unknown 3xxxx may be tried once more, all else is refused."""
    if code is None:
        return Verdict("refused", "The provider gave no reason")
    if code in TABLE:
        return TABLE[code]
    if 30000 <= code < 40000:
        return Verdict(
            "temporary", f"Unknown code {code}", most_tries=2, waits_s=(MINUTE,), page=True,
            known=False,
        )  # fmt: skip
    return Verdict("refused", f"Unknown code {code}", page=True, known=False)


def reply_error(
    status: int, code: int | None, *, retry_after_s: float | None = None
) -> base.ProviderError:
    """Return the error that a refused create request means, by its HTTP status and code."""
    if status == 429:
        verdict = TABLE[20429]
    elif status >= 500:
        verdict = TABLE[20500]
    elif code in TABLE:
        verdict = TABLE[code]
    elif status in (401, 403, 404):
        verdict = _ACCOUNT
    elif status == 407:
        verdict = Verdict("temporary", "A proxy on our side refused")
    else:
        verdict = verdict_of(code)
    return _ERRORS[verdict.kind](
        str(code or f"http-{status}"),
        verdict.sentence,
        retry_after_s=retry_after_s,
        most_tries=verdict.most_tries,
        waits_s=verdict.waits_s,
        page=verdict.page,
    )
