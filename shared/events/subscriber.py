"""What the subscriber service tells: where residents are, how to reach them, what to send now."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.events.base import (
    Channel,
    Digest,
    Event,
    KeyId,
    Language,
    Moment,
    Sealed,
    Value,
    Version,
    Word,
)
from shared.events.topics import CONTACT_CHANGED, NOTICE_REQUESTED, PLACE_CHANGED, Topic

REACH_BITS = {"sms": 1, "voice": 2, "email": 4}


class Place(Value):
    """A point to be warned for: degrees WGS 84, uncertainty in metres."""

    place_id: UUID
    lon: Annotated[float, Field(ge=-180, le=180)]
    lat: Annotated[float, Field(ge=-90, le=90)]
    uncertainty_m: Annotated[float, Field(ge=0, le=100_000)] = 0.0


class Reach(Value):
    """What an estimate needs to know of a resident: channel bits (sms 1, voice 2, email 4)."""

    channels: Annotated[int, Field(ge=0, le=7)]
    language: Language
    severity_floor: Word = "Unknown"
    emergency_only: bool = False


class PlaceChanged(Event):
    """The whole set of a resident's places, as of a version; none while nobody can reach them."""

    TYPE: ClassVar[str] = "subscriber.place.changed"
    TOPIC: ClassVar[Topic] = PLACE_CHANGED

    subscriber_id: UUID
    version: Version
    erased: bool = False
    places: tuple[Place, ...]
    reach: Reach

    def key(self) -> str:
        """Return the resident."""
        return str(self.subscriber_id)


class CardPoint(Value):
    """One reachable contact point: its address sealed, and a keyed hash of it."""

    contact_id: UUID
    channel: Channel
    address_sealed: Sealed
    address_hash: Digest
    hash_key_id: KeyId
    basis: Literal["verified", "statutory"]
    position: Annotated[int, Field(ge=0, le=1000)]
    opted_in_at: Moment


class Card(Value):
    """What travels sealed inside ContactChanged: preferences and reachable contact points."""

    language: Language
    categories: tuple[str, ...] = ()
    severity_floor: Word = "Unknown"
    contact_points: tuple[CardPoint, ...]


class ContactChanged(Event):
    """A resident's whole card, as of the same version as the places."""

    TYPE: ClassVar[str] = "subscriber.contact.changed"
    TOPIC: ClassVar[Topic] = CONTACT_CHANGED

    subscriber_id: UUID
    version: Version
    erased: bool = False
    opted_in_at: Moment | None = None
    card_sealed: Sealed | None = None

    def key(self) -> str:
        """Return the resident."""
        return str(self.subscriber_id)


class NoticeRequested(Event):
    """A code, a confirmation or a call for the duty officer is to be sent to one address."""

    TYPE: ClassVar[str] = "notice.requested"
    TOPIC: ClassVar[Topic] = NOTICE_REQUESTED

    notice_id: UUID
    subscriber_id: UUID | None = None
    template: Literal["confirm_code", "opted_out", "help", "duty_page"]
    channel: Channel
    language: Language
    address_sealed: Sealed
    address_hash: Digest
    hash_key_id: KeyId
    values_sealed: Sealed
    expires_at: Moment

    def key(self) -> str:
        """Return the resident, or the notice itself where it is for nobody's account."""
        return str(self.subscriber_id or self.notice_id)
