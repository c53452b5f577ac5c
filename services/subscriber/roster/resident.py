"""A resident as they come in: who, how to reach them, and for which places."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast
from uuid import UUID

from shared.events.base import EARLIEST_YEAR
from shared.identifiers import new_id

Channel = Literal["sms", "voice", "email"]
Basis = Literal["verified", "statutory"]

# What seals are bound to, so that an address can never be read as a label.
ADDRESS, LABEL = "address", "label"

MOST_CONTACTS = 10
MOST_PLACES = 50

# A landline known from the 911 data never opted in: its time is older than any STOP, so that
# taking it in again lifts none.
STATUTORY_SINCE = datetime(EARLIEST_YEAR, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NewContact:
    """A way to reach somebody: E.164 or a lower-case e-mail; no basis means not proved yet."""

    channel: Channel
    address: str
    basis: Basis | None = None


@dataclass(frozen=True, slots=True)
class NewPlace:
    """A point to be warned for: degrees WGS 84, uncertainty in metres."""

    lon: float
    lat: float
    label: str = ""
    uncertainty_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a resident wants to hear of; no category means all of them."""

    categories: tuple[str, ...] = ()
    severity_floor: str = "Unknown"

    @classmethod
    def read(cls, stored: Mapping[Any, Any]) -> "Preferences":
        """Read what the database keeps."""
        return cls(tuple(stored["categories"]), str(stored["severity_floor"]))


@dataclass(frozen=True, slots=True)
class NewResident:
    """Somebody to put on the roster, with an identifier of the caller's where it has one."""

    language: str
    contacts: tuple[NewContact, ...]
    places: tuple[NewPlace, ...]
    preferences: Preferences = Preferences()
    subscriber_id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Point:
    """A contact point as it stands; the address is sealed."""

    contact_id: UUID
    subscriber_id: UUID
    channel: Channel
    address_sealed: str
    address_hash: bytes
    hash_key_id: str
    state: str
    position: int
    language: str

    @classmethod
    def read(cls, row: Mapping[Any, Any]) -> "Point":
        """Read a row of the database."""
        return cls(
            contact_id=row["contact_id"],
            subscriber_id=row["subscriber_id"],
            channel=cast(Channel, row["channel"]),
            address_sealed=row["address_sealed"],
            address_hash=bytes(row["address_hash"]),
            hash_key_id=row["hash_key_id"],
            state=row["state"],
            position=row["position"],
            language=row["language"],
        )
