"""Time in one form: aware UTC, and the form that CAP 1.2 asks for."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time; tests hand in a still one."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        return datetime.now(UTC)


def cap_time(moment: datetime) -> str:
    """Write a moment as CAP 1.2 §3.2.1 demands: whole seconds, a signed offset and never `Z`.

    Raises:
        ValueError: the moment has no time zone.
    """
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a CAP time needs a time zone")
    written = moment.replace(microsecond=0).isoformat()
    return written[:-6] + "-00:00" if not offset else written
