"""What the directory holds: 9-1-1 centres, their lines, their towns, and from when until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.connecticut import town_by_geoid
from shared.db.session import ALL_TOWNS
from shared.security.principal import Principal
from shared.web.errors import forbidden

NumberKind = Literal["fallout", "emergency"]
PoliceKind = Literal["local_police", "state_police_troop"]


@dataclass(frozen=True, slots=True)
class Police:
    """The routine number of the local police or of a Troop of the State Police."""

    kind: PoliceKind
    label: str
    number: str


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The interpreters' line, and whether it is there for 9-1-1 calls only."""

    number: str
    only_for_9_1_1_calls: bool
    note: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said of a centre: its name and numbers.

    Fallout numbers take the calls NG911 cannot deliver; emergency numbers are for other centres,
    alarm companies and carriers. All are E.164.
    """

    name: str
    fallout_numbers: tuple[str, ...]
    emergency_numbers: tuple[str, ...]
    police: Police | None
    interpreter: Interpreter | None

    def numbers(self, kind: NumberKind) -> tuple[str, ...]:
        """Return the numbers of one kind."""
        return self.fallout_numbers if kind == "fallout" else self.emergency_numbers


@dataclass(frozen=True, slots=True)
class Period:
    """An entry and the time it holds; `valid_until` None: until further notice.

    With `ended` there is no such centre from then on. `superseded` ones were corrected later.
    """

    code: str
    entry: Entry
    ended: bool
    consolidated_into: str | None
    valid_from: datetime
    valid_until: datetime | None
    revision: int
    superseded: bool
    recorded_at: datetime
    recorded_by: str

    def holds(self, at: datetime) -> bool:
        """Say whether it holds at a moment, from its first instant to before its last."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


@dataclass(frozen=True, slots=True)
class Served:
    """A town, the centre it belongs to, and from when until when."""

    town: str
    code: str
    valid_from: datetime
    valid_until: datetime | None
    revision: int
    superseded: bool
    recorded_at: datetime
    recorded_by: str


def require_state(who: Principal) -> None:
    """Refuse who does not act for the whole state.

    Raises:
        Problem: 403 for anybody of one town.
    """
    if who.town != ALL_TOWNS:
        raise forbidden("whole-state-only", "The directory is kept for the whole state.")


def town_of(who: Principal) -> str | None:
    """Return the geoid of the town somebody acts for, or None for the whole state."""
    if who.town == ALL_TOWNS:
        return None
    town = town_by_geoid(who.town)
    return town.geoid if town else who.town


def town_names(geoids: Sequence[str]) -> str:
    """Return the names of a few towns for a sentence."""
    found = [town.name for town in map(town_by_geoid, geoids[:5]) if town]
    more = len(geoids) - len(found)
    return ", ".join(found) + (f" and {more} more" if more else "")
