"""What is written down of consent, and of addresses that want to be left alone."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Action = Literal["given", "verified", "opted_out", "rejoined", "suspended", "removed"]


@dataclass(frozen=True, slots=True)
class Subject:
    """The contact point, and whose it is, that a line of history is about."""

    contact_id: UUID
    subscriber_id: UUID
    channel: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address by its keyed hash (32 bytes), on one channel."""

    channel: str
    digest: bytes
    key_id: str
