"""What the dispatcher tells the geofence: an alert has been approved, an alert has ended."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import StringConstraints

from shared.events.base import Digest, Event, Moment, Version, Word
from shared.events.topics import ALERT_APPROVED, ALERT_ENDED, Topic


class AlertApproved(Event):
    """Two persons stand behind this alert version and its area."""

    TYPE: ClassVar[str] = "alert.approved"
    TOPIC: ClassVar[Topic] = ALERT_APPROVED
    SIGNED: ClassVar[bool] = True
    SIGNED_BY: ClassVar[str] = "dispatcher"

    alert_id: UUID
    version: Version
    status: Literal["Actual", "Exercise", "Test", "System"]
    severity: Word
    emergency: bool
    # base64 of zlib-compressed WKB; an empty area is refused here as at every other hop.
    area_wkb: Annotated[str, StringConstraints(min_length=1, max_length=1_200_000)]
    area_digest: Digest
    approved_at: Moment
    expires_at: Moment
    # Approved for whoever comes, as nobody was inside: then finding nobody is no fault.
    nobody_yet: bool = False

    def key(self) -> str:
        """Return the alert."""
        return str(self.alert_id)


class AlertEnded(Event):
    """Nobody new is to be warned by this alert version."""

    TYPE: ClassVar[str] = "alert.ended"
    TOPIC: ClassVar[Topic] = ALERT_ENDED
    SIGNED: ClassVar[bool] = True
    SIGNED_BY: ClassVar[str] = "dispatcher"

    alert_id: UUID
    version: Version
    reason: Literal["cancelled", "expired", "superseded"]
    ended_at: Moment

    def key(self) -> str:
        """Return the alert."""
        return str(self.alert_id)
