"""The states of a delivery, the moves between them, and the room's records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from shared.events.base import Channel, Priority


class DeliveryState(StrEnum):
    """Where one delivery stands; the report's words for these are its own."""

    PENDING = "pending"
    RETRY_WAIT = "retry_wait"
    HELD = "held"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    SENT = "sent"
    NO_RECEIPT = "no_receipt"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


S = DeliveryState

OPEN = frozenset({S.PENDING, S.RETRY_WAIT, S.HELD})
IN_FLIGHT = frozenset({S.SENDING, S.UNKNOWN})
HANDED_OVER = frozenset({S.ACCEPTED, S.SENT, S.NO_RECEIPT})
TERMINAL = frozenset(
    {
        S.DELIVERED,
        S.UNDELIVERED,
        S.FAILED,
        S.SUPPRESSED,
        S.CANCELLED,
        S.EXPIRED,
        S.SUPERSEDED,
    }
)

# A receipt or an outcome only ever raises the rank; no_receipt is as high as sent, so that a late
# final receipt still moves it.
RANK: dict[DeliveryState, int] = {
    **dict.fromkeys(OPEN | IN_FLIGHT, 0),
    S.ACCEPTED: 1,
    S.SENT: 2,
    S.NO_RECEIPT: 2,
    **dict.fromkeys(TERMINAL, 3),
}

# The table of moves. Rows are only ever moved by statements that name where they may
# come from; this is the list those statements are held to.
ALLOWED: dict[DeliveryState, frozenset[DeliveryState]] = {
    S.PENDING: frozenset(
        {S.SENDING, S.HELD, S.SUPPRESSED, S.CANCELLED, S.EXPIRED, S.FAILED, S.SUPERSEDED}
    ),
    S.HELD: frozenset({S.PENDING, S.CANCELLED, S.EXPIRED, S.SUPERSEDED}),
    S.RETRY_WAIT: frozenset(
        {
            S.SENDING,
            S.SUPPRESSED,
            S.CANCELLED,
            S.EXPIRED,
            S.FAILED,
            S.SUPERSEDED,
            S.ACCEPTED,
            S.SENT,
            S.DELIVERED,
            S.UNDELIVERED,
        }
    ),
    S.SENDING: frozenset(
        {
            S.PENDING,
            S.RETRY_WAIT,
            S.UNKNOWN,
            S.FAILED,
            S.EXPIRED,
            S.ACCEPTED,
            S.SENT,
            S.DELIVERED,
            S.UNDELIVERED,
        }
    ),
    S.UNKNOWN: frozenset(
        {
            S.PENDING,
            S.RETRY_WAIT,
            S.FAILED,
            S.CANCELLED,
            S.EXPIRED,
            S.ACCEPTED,
            S.SENT,
            S.DELIVERED,
            S.UNDELIVERED,
        }
    ),
    S.ACCEPTED: frozenset({S.SENT, S.DELIVERED, S.UNDELIVERED, S.RETRY_WAIT, S.NO_RECEIPT}),
    S.SENT: frozenset({S.DELIVERED, S.UNDELIVERED, S.RETRY_WAIT, S.NO_RECEIPT}),
    S.NO_RECEIPT: frozenset({S.DELIVERED, S.UNDELIVERED}),
    **dict.fromkeys(TERMINAL, frozenset[DeliveryState]()),
    # Never handed over, and somebody has the address again: fan-out opens it as if it were new.
    S.SUPPRESSED: frozenset({S.PENDING, S.RETRY_WAIT}),
}

LEASE_S = 30
MAX_ATTEMPTS = 8

Effect = Literal["moved", "evidence", "unknown"]


@dataclass(frozen=True, slots=True)
class Texts:
    """What one language's residents read and hear, by channel; None where a channel has none."""

    sms: str | None = None
    voice: str | None = None
    email_subject: str | None = None
    email_body: str | None = None


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Everything delivery knows of an alert version."""

    alert_id: UUID
    version: int
    kind: str
    town: str
    priority: str
    severity: str
    category: str
    emergency: bool
    texts: Mapping[str, Texts]
    channels: Sequence[str]
    reference: str
    expires_at: datetime
    area_digest: str
    nobody_yet: bool = False
    corrects_version: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A delivery to be asked for on the bus: what its record needs and no more."""

    delivery_id: UUID
    channel: Channel
    priority: Priority
    address_hash: bytes


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery taken for sending (or, unknown, for looking up) under one epoch."""

    delivery_id: UUID
    epoch: int
    attempts: int
    alert_id: UUID
    version: int
    kind: str
    channel: Channel
    priority: Priority
    severity: str
    language: str
    reference: str
    address_sealed: str
    address_hash: bytes
    hash_key_id: str
    started_at: datetime
    created_at: datetime
    opened_at: datetime
    expires_at: datetime
    seconds_left: float
    template: str | None = None
    values_sealed: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt; `age_s` is how long ago it came, `due_in_s` when timers act."""

    delivery_id: UUID
    epoch: int
    state: DeliveryState
    outcome: str
    provider: str | None = None
    sid: str | None = None
    code: str | None = None
    reason: str | None = None
    counted: bool = True
    due_in_s: float | None = None
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StateUpdate:
    """A state that a signed receipt reports; `retry_in_s` goes with RETRY_WAIT.

    `closed` says that the same message has been reported as failed before.
    """

    delivery_id: UUID
    state: DeliveryState
    provider: str
    sid: str
    code: str | None = None
    reason: str | None = None
    epoch: int | None = None
    retry_in_s: float | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An unknown delivery that the provider's own list turned out to hold."""

    delivery_id: UUID
    epoch: int
    provider: str
    sid: str
    state: DeliveryState = DeliveryState.ACCEPTED


def priority_of(*, status: str, severity: str, urgency: str) -> str:
    """Return the priority of an alert: exercise, urgent or routine (rule 7 of the house)."""
    if status != "Actual":
        return "exercise"
    if severity in ("Extreme", "Severe") and urgency == "Immediate":
        return "urgent"
    return "routine"
