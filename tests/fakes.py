"""Parts that stand in for time: the only thing of the real world a test may not wait for."""

from datetime import UTC, datetime, timedelta


class StillClock:
    """A clock that moves only when told to."""

    def __init__(self, moment: datetime | None = None) -> None:
        self._moment = moment or datetime(2026, 1, 15, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the moment it stands at."""
        return self._moment

    def move(self, **amount: float) -> datetime:
        """Move on (`seconds=5`, `days=1`) and return the new moment."""
        self._moment += timedelta(**amount)
        return self._moment
