"""The states of an alert and the table of its moves; what is not listed is refused."""

from enum import StrEnum
from types import MappingProxyType


class AlertState(StrEnum):
    """Where an alert stands."""

    DRAFT = "draft"
    PENDING_APPROVAL = "pending_approval"
    RETURNED = "returned"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    APPROVED = "approved"
    DISPATCHING = "dispatching"
    SENT = "sent"
    COMPLETED = "completed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


S = AlertState

MOVES: MappingProxyType[tuple[AlertState, str], AlertState] = MappingProxyType(
    {
        (S.DRAFT, "submit"): S.PENDING_APPROVAL,
        (S.RETURNED, "submit"): S.PENDING_APPROVAL,
        (S.PENDING_APPROVAL, "approve"): S.APPROVED,
        (S.PENDING_APPROVAL, "return"): S.RETURNED,
        (S.PENDING_APPROVAL, "reject"): S.REJECTED,
        (S.DRAFT, "lapse"): S.LAPSED,
        (S.RETURNED, "lapse"): S.LAPSED,
        (S.PENDING_APPROVAL, "lapse"): S.LAPSED,
        (S.DRAFT, "expire"): S.EXPIRED,
        (S.RETURNED, "expire"): S.EXPIRED,
        (S.PENDING_APPROVAL, "expire"): S.EXPIRED,
        (S.APPROVED, "expire"): S.EXPIRED,
        (S.APPROVED, "dispatch"): S.DISPATCHING,
        (S.DISPATCHING, "expire"): S.EXPIRED,
        (S.DISPATCHING, "hand_over"): S.SENT,
        (S.SENT, "complete"): S.COMPLETED,
        (S.APPROVED, "cancel"): S.CANCELLING,
        (S.DISPATCHING, "cancel"): S.CANCELLING,
        (S.SENT, "cancel"): S.CANCELLING,
        (S.CANCELLING, "close"): S.CANCELLED,
        (S.DISPATCHING, "supersede"): S.SUPERSEDED,
        (S.SENT, "supersede"): S.SUPERSEDED,
        (S.COMPLETED, "supersede"): S.SUPERSEDED,
    }
)
TERMINAL = frozenset(S) - {state for state, _ in MOVES}
# Still to be reached by the approval of somebody.
UNDECIDED = frozenset({S.DRAFT, S.PENDING_APPROVAL, S.RETURNED})
# Approved, and not at its end.
LIVE = frozenset({S.APPROVED, S.DISPATCHING, S.SENT})


class MoveRefused(Exception):
    """The table has no such move."""

    def __init__(self, state: AlertState, event: str) -> None:
        super().__init__(f"an alert that is {state} cannot {event}")
        self.state, self.event = state, event


def move(state: str, event: str) -> AlertState:
    """Return the state an event leads to.

    Raises:
        MoveRefused: the table has no such move.
    """
    now = AlertState(state)
    after = MOVES.get((now, event))
    if after is None:
        raise MoveRefused(now, event)
    return after


def sources(event: str) -> list[str]:
    """Return the states from which an event may lead anywhere."""
    return [str(state) for state, name in MOVES if name == event]
