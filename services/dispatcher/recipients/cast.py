"""What fan-out knows of the broadcast it fans out: to whom it may go, and in which words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.dispatcher.delivery.states import Request


@dataclass(frozen=True, slots=True)
class Cast:
    """What fan-out needs of a broadcast, which its transaction holds FOR SHARE."""

    alert_id: UUID
    version: int
    kind: str
    state: str
    priority: str
    severity: str
    category: str
    emergency: bool
    channels: Sequence[str]
    area_digest: str
    live: bool
    languages: Sequence[str]

    @property
    def unfiltered(self) -> bool:
        """Tell whether no preference may hold it back (R12)."""
        return self.emergency or (self.severity == "Extreme" and self.priority == "urgent")


@dataclass(frozen=True, slots=True)
class FannedOut:
    """What is to be asked for once the transaction has committed, of how many members."""

    requests: list[Request] = field(default_factory=list)
    chunks: list[UUID] = field(default_factory=list)
    looked_at: int = 0
