"""Who may do what: roles, towns, how fresh a sign-in must be, and that two are two persons."""

from datetime import datetime, timedelta

from shared.security.principal import Principal

ALL_TOWNS = "*"
# S07: an hour-old session must not be enough to wake a town, or to silence it.
FRESH = timedelta(minutes=5)
# Clocks of two machines differ a little.
SKEW = timedelta(seconds=60)


def is_fresh(who: Principal, *, now: datetime) -> bool:
    """Tell whether somebody signed in within the last five minutes."""
    return who.auth_time is not None and now - FRESH <= who.auth_time <= now + SKEW


def is_state_wide(who: Principal) -> bool:
    """Tell whether somebody may act for the whole state."""
    return who.town == ALL_TOWNS


def name_of(who: Principal) -> str:
    """Return the name under which an act is kept: kind and subject, stable over role changes."""
    return who.subject if who.kind == "partner" else f"{who.kind}:{who.subject}"


def are_two_persons(who: Principal, *others: str | None) -> bool:
    """Tell whether somebody is none of the persons named by `name_of` (ASVS 2.3.5)."""
    return name_of(who) not in others
