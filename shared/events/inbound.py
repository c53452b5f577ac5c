"""What the dispatcher hears from residents and of their addresses, for the subscriber service."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import StringConstraints

from shared.events.base import Channel, Digest, Event, KeyId, Moment, Sealed
from shared.events.topics import CONTACT_REPORTED, INBOUND_RECEIVED, Topic


class InboundReceived(Event):
    """A resident texted, pressed a key or unsubscribed; the words are sealed."""

    TYPE: ClassVar[str] = "inbound.received"
    TOPIC: ClassVar[Topic] = INBOUND_RECEIVED

    inbound_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    channel: Channel
    kind: Literal["text", "key", "unsubscribe"]
    address_hash: Digest
    hash_key_id: KeyId
    body_sealed: Sealed
    received_at: Moment
    suppressed: bool
    alert_id: UUID | None = None

    def key(self) -> str:
        """Return the address hash."""
        return self.address_hash


class ContactReported(Event):
    """A provider or a resident told us that an address can or cannot be used."""

    TYPE: ClassVar[str] = "contact.reported"
    TOPIC: ClassVar[Topic] = CONTACT_REPORTED

    report_id: UUID
    channel: Channel
    address_hash: Digest
    hash_key_id: KeyId
    reason: Literal["opted_out", "invalid", "hard_bounce", "landline", "rejoined"]
    code: Annotated[str, StringConstraints(max_length=64)]
    reported_at: Moment

    def key(self) -> str:
        """Return the address hash."""
        return self.address_hash
