"""What can go wrong on the bus.

BusError
├── BusUnavailable   no broker took or gave it in time; try again
├── Fenced           a newer producer has taken our place; stand back
├── Refused          the broker will never take this record
├── OffsetsLost      what was still to be read is gone; start from another source
└── Stalled          records wait and nothing moves; the process must be replaced
NotYet               raised by a handler: what the record speaks of has not come yet
"""

from collections.abc import Collection

from shared.db.transient import is_transient


class BusError(Exception):
    """Something on the bus went wrong."""


class BusUnavailable(BusError):
    """No broker answered in time; the same call may be made again."""


class Fenced(BusError):
    """Another producer of the same name has taken over; this one may send nothing more."""


class Refused(BusError):
    """The record at `index` of a batch will never be taken; `reason` is a fixed word."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"record {index}: {reason}")
        self.index = index
        self.reason = reason


class OffsetsLost(BusError):
    """The offsets to read from do not exist any more on these partitions."""

    def __init__(self, partitions: Collection[int]) -> None:
        super().__init__(f"partitions {sorted(partitions)}")
        self.partitions = frozenset(partitions)


class Stalled(BusError):
    """Records are waiting and none was handled for too long."""


class NotYet(Exception):
    """A record speaks of something this database does not have yet: wait a little, not for ever."""


def passes(error: BaseException) -> bool:
    """Say whether waiting and trying again may help: the database or the broker is at fault."""
    return isinstance(error, BusUnavailable) or is_transient(error)
