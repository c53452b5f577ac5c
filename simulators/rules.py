"""Rules say how the simulators behave towards whom; without one, a number's last digits decide."""

import re
import zlib
from collections import Counter
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Status = Annotated[str, StringConstraints(pattern=r"^[a-z_-]{2,40}$")]
Kind = Literal["sms", "voice", "email"]


class Strict(BaseModel):
    """A part of a rule; unknown fields are refused so that a typing error shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Receipt(Strict):
    """One status callback: what it says, and how long after the one before it."""

    status: Status
    code: int | None = None
    answered_by: str | None = None
    delay_ms: int | None = Field(default=None, ge=0)


class Reply(Strict):
    """How a create request is answered, and whether the message was accepted all the same.

    accept · error (code, status) · too_many (429, retry_after) · accept_reset · accept_500 ·
    accept_garbage · hang (never accepted, never answered) · late (accepted after delay_s).
    """

    mode: Literal[
        "accept", "error", "too_many", "accept_reset", "accept_500", "accept_garbage", "hang",
        "late",
    ] = "accept"  # fmt: skip
    code: int = 20500
    status: int = 400
    retry_after: float | None = None
    delay_s: float = 0


class Smtp(Strict):
    """A reply of the sink at one stage, or the connection dropped around the final dot."""

    stage: Literal["connect", "ehlo", "mail", "rcpt", "data", "dot"] = "dot"
    reply: Annotated[str, StringConstraints(pattern=r"^[2-5]\d\d [^\r\n]{1,400}$")] | None = None
    drop: Literal["before_dot", "after_dot"] | None = None
    delay_s: float = 0


class Rule(Strict):
    """Whom it is for, how often, and what then happens."""

    kind: Kind | None = None
    to: str | None = None
    suffix: str | None = None
    probability: float = Field(default=1.0, ge=0, le=1)
    times: int | None = Field(default=None, ge=1)
    reply: Reply = Reply()
    receipts: tuple[Receipt, ...] | None = None
    repeat: int = Field(default=1, ge=1, le=20)
    before_reply: bool = False
    smtp: Smtp | None = None


class RuleBook:
    """The rules in force; the first that fits decides.

    A probability is drawn from the seed, the rule, the address and how often it was asked, so
    that a run repeats whatever order its requests come in.
    """

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.seed = 0
        self._asked: Counter[str] = Counter()
        self._used: Counter[int] = Counter()

    def replace(self, rules: list[Rule], *, seed: int = 0) -> None:
        """Put these rules in the place of all others."""
        self.rules, self.seed = list(rules), seed
        self._asked.clear()
        self._used.clear()

    def find(self, kind: Kind, to: str, *, stage: str | None = None) -> Rule | None:
        """Return the rule for this request, and count it as used; `stage` is the sink's."""
        if not self.rules:
            return None
        self._asked[to] += 1
        for number, rule in enumerate(self.rules):
            if not self._fits(number, rule, kind, to, stage):
                continue
            self._used[number] += 1
            return rule
        return None

    def _fits(self, number: int, rule: Rule, kind: Kind, to: str, stage: str | None) -> bool:
        if rule.kind not in (None, kind) or rule.to not in (None, to):
            return False
        if rule.suffix is not None and not to.endswith(rule.suffix):
            return False
        if stage is not None and (rule.smtp is None or rule.smtp.stage != stage):
            return False
        if rule.times is not None and self._used[number] >= rule.times:
            return False
        if rule.probability >= 1:
            return True
        draw = zlib.crc32(f"{self.seed}:{number}:{to}:{self._asked[to]}".encode()) / 2**32
        return draw < rule.probability


def _texts(*receipts: tuple[str, int | None]) -> tuple[Receipt, ...]:
    return tuple(Receipt(status=status, code=code) for status, code in receipts)


def _call(last: str, code: int | None = None, answered_by: str | None = None) -> Rule:
    steps = [Receipt(status="initiated")]
    if last == "completed":
        steps.append(Receipt(status="in-progress", answered_by=answered_by))
    steps.append(Receipt(status=last, code=code, answered_by=answered_by))
    return Rule(receipts=tuple(steps))


def _text(last: str, code: int | None = None) -> Rule:
    return Rule(receipts=_texts(("sent", None), (last, code)))


def _refused(code: int, status: int = 400) -> Rule:
    return Rule(reply=Reply(mode="error", code=code, status=status))


DELIVERED = _text("delivered")
ANSWERED = _call("completed", answered_by="human")
# What the last four digits of a number mean while no rule says otherwise (a demo shows failures).
TEXT_SUFFIXES: dict[str, Rule] = {
    "0003": _text("undelivered", 30003),  # unreachable: worth another try later
    "0005": _text("undelivered", 30005),  # unknown handset
    "0006": _text("undelivered", 30006),  # a landline
    "0007": _text("undelivered", 30007),  # filtered by the carrier
    "0010": _refused(21610),  # has texted STOP
    "0011": _refused(21211),  # not a number that exists
    "0012": Rule(receipts=_texts(("sent", None))),  # no final receipt ever comes
}
CALL_SUFFIXES: dict[str, Rule] = {
    "0004": _call("busy"),
    "0008": _call("no-answer"),
    "0009": _call("completed", answered_by="machine_end_beep"),
    "0011": _refused(21211),
    "0013": _call("failed", 13224),
}
_LOCAL_PARTS = re.compile(r"^(?:.*\+)?(bounce|full|content|grey)@")
_MAILBOXES = {
    "bounce": "550 5.1.1 no such mailbox",
    "full": "552 5.2.2 mailbox full",
    "content": "554 5.7.1 message refused",
    "grey": "451 4.7.1 greylisted, try again later",
}


def by_number(kind: Kind, to: str) -> Rule:
    """Return how a number behaves by its last four digits."""
    if kind == "voice":
        return CALL_SUFFIXES.get(to[-4:], ANSWERED)
    return TEXT_SUFFIXES.get(to[-4:], DELIVERED)


def by_mailbox(address: str) -> str | None:
    """Return the refusal of a mailbox called (or tagged +) bounce, full, content or grey."""
    found = _LOCAL_PARTS.match(address.lower())
    return _MAILBOXES[found[1]] if found else None
