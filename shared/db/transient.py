"""Which errors pass by themselves and are tried again, and which never will."""

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_TRANSIENT_STATES = frozenset(
    {
        "40001",  # serialization failure
        "40P01",  # deadlock
        "53300",  # too many connections
        "55P03",  # lock not available
        "57014",  # query cancelled: a timeout
        "57P01",  # admin shutdown
        "57P02",  # crash shutdown
        "57P03",  # cannot connect now
        "57P05",  # idle session timeout
        "25P03",  # idle in transaction timeout
        "25P04",  # transaction timeout
    }
)


def is_transient(error: BaseException) -> bool:
    """Say whether the database, not the work, is at fault and trying again may help."""
    if isinstance(error, (PoolTimeout, TimeoutError, ConnectionError)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _passes(error.orig)
    return _passes(error)


def is_bad_value(error: BaseException) -> bool:
    """Say whether a value is at fault (SQLSTATE class 22): it will never be written."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return isinstance(state, str) and state[:2] == "22"


def _passes(error: BaseException | None) -> bool:
    while error is not None:
        state = getattr(error, "sqlstate", None)
        if isinstance(state, str) and (state in _TRANSIENT_STATES or state[:2] == "08"):
            return True
        if isinstance(error, OSError) or "connection is closed" in str(error):
            return True
        error = error.__cause__
    return False
