"""What providers tell us of a delivery, checked and put on the bus as it came."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.events.base import Channel, Event, Moment, Word
from shared.events.topics import RECEIPT_RECEIVED, Topic


class ReceiptReceived(Event):
    """A verified status callback; it never holds an address or a text."""

    TYPE: ClassVar[str] = "receipt.received"
    TOPIC: ClassVar[Topic] = RECEIPT_RECEIVED

    delivery_id: UUID
    provider: Word
    channel: Channel
    sid: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    status: Word
    error_code: Annotated[str, StringConstraints(max_length=64)] | None = None
    answered_by: Annotated[str, StringConstraints(max_length=64)] | None = None
    epoch: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    received_at: Moment

    def key(self) -> str:
        """Return the delivery."""
        return str(self.delivery_id)
