"""What is said of evacuation zones: a status, since when, and by whom."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# `watch` is "be ready", `warning` "be set": an order and shelter are to be followed at once.
Status = Literal["none", "watch", "warning", "order", "shelter", "all_clear"]
AtLeast = Literal["order", "warning", "watch"]

_CONCERNED: dict[AtLeast, frozenset[Status]] = {
    "order": frozenset({"order", "shelter"}),
    "warning": frozenset({"order", "shelter", "warning"}),
    "watch": frozenset({"order", "shelter", "warning", "watch"}),
}


@dataclass(frozen=True, slots=True)
class Said:
    """A status as it came in: of a zone by its code, from a moment on."""

    zone: str
    status: Status
    at: datetime


@dataclass(frozen=True, slots=True)
class ZoneStatus:
    """The newest status of a zone, since when it holds, and who said it."""

    zone: str
    status: Status
    since: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of statuses that came in; of `older` zones a newer one stands."""

    kept: int
    unchanged: int
    older: tuple[str, ...]


def needs_alert(status: Status, *, at_least: AtLeast) -> bool:
    """Say whether people of a zone of this status must have been alerted."""
    return status in _CONCERNED[at_least]
