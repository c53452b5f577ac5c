"""What the dispatcher tells its own workers: this delivery is to be sent."""

from typing import ClassVar
from uuid import UUID

from shared.events.base import Channel, Digest, Event, Priority
from shared.events.topics import Topic, delivery_topic


class DeliveryRequested(Event):
    """A delivery is due; everything else about it is read from the database by the claim."""

    TYPE: ClassVar[str] = "delivery.requested"

    delivery_id: UUID
    channel: Channel
    priority: Priority
    address_hash: Digest

    def topic(self) -> Topic:
        """Return the topic of the delivery's channel and priority."""
        return delivery_topic(self.channel, self.priority)

    def key(self) -> str:
        """Return the address hash, so that one person's messages stay in one partition."""
        return self.address_hash
