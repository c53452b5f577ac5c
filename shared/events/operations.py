"""What the machinery tells about itself: that it lives, and what it could not handle."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import StringConstraints

from shared.events.base import Count, Digest, Event, Moment, Word
from shared.events.topics import HEARTBEAT, Topic, dead, topic_named


class Heartbeat(Event):
    """A running role says that it is there."""

    TYPE: ClassVar[str] = "service.heartbeat"
    TOPIC: ClassVar[Topic] = HEARTBEAT

    service: Word
    role: Word
    instance: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    at: Moment

    def key(self) -> str:
        """Return the service."""
        return self.service


class DeadLetter(Event):
    """A reference to a record that could not be handled; never its content."""

    TYPE: ClassVar[str] = "bus.dead_letter"

    letter_id: UUID
    origin: Word
    partition: Count
    offset: Count
    group: Annotated[str, StringConstraints(max_length=128)]
    reason: Word
    detail: Annotated[str, StringConstraints(max_length=200)] = ""
    sha256: Digest
    size: Count
    attempts: Count
    origin_key: Annotated[str, StringConstraints(max_length=200)]
    at: Moment

    def topic(self) -> Topic:
        """Return the dead-letter topic of the origin."""
        return dead(topic_named(self.origin))

    def key(self) -> str:
        """Return the key of the record referred to, or its digest where it was no id of ours."""
        return self.origin_key
