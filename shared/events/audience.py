"""What the geofence tells the dispatcher: who is inside, that a run is complete, or why none is."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, StringConstraints

from shared.events.base import Count, Digest, Event, Version, Word
from shared.events.topics import AUDIENCE_COMPLETED, AUDIENCE_REFUSED, AUDIENCE_RESOLVED, Topic

Match = Literal["inside", "by_uncertainty"]
ID_BYTES = 16


def pack_ids(ids: Iterable[UUID]) -> str:
    """Write ids as base64 of 16 bytes each."""
    return b64encode(b"".join([one.bytes for one in ids])).decode("ascii")


def unpack_ids(packed: str) -> list[UUID]:
    """Read ids written by pack_ids.

    Raises:
        ValueError: not base64, or not a whole number of ids.
    """
    raw = b64decode(packed, validate=True)
    if len(raw) % ID_BYTES:
        raise ValueError("not a whole number of ids")
    return [UUID(bytes=raw[at : at + ID_BYTES]) for at in range(0, len(raw), ID_BYTES)]


def _whole_ids(packed: str) -> str:
    if len(b64decode(packed, validate=True)) % ID_BYTES:
        raise ValueError("not a whole number of ids")
    return packed


PackedIds = Annotated[str, StringConstraints(max_length=900_000), AfterValidator(_whole_ids)]


class AudienceResolved(Event):
    """One chunk of a run: residents inside the area, and those inside only by their uncertainty."""

    TYPE: ClassVar[str] = "audience.resolved"
    TOPIC: ClassVar[Topic] = AUDIENCE_RESOLVED
    SIGNED: ClassVar[bool] = True
    SIGNED_BY: ClassVar[str] = "geofence"

    alert_id: UUID
    version: Version
    run_id: UUID
    chunk: Count
    area_digest: Digest
    inside: PackedIds
    by_uncertainty: PackedIds = ""
    late: bool = False

    def key(self) -> str:
        """Return alert, run and chunk."""
        return f"{self.alert_id}:{self.run_id}:{self.chunk}"

    def members(self) -> Iterator[tuple[UUID, Match]]:
        """Yield each resident with the reason of the match."""
        for member in unpack_ids(self.inside):
            yield member, "inside"
        for member in unpack_ids(self.by_uncertainty):
            yield member, "by_uncertainty"


class AudienceCompleted(Event):
    """A run has been published whole: its chunks, its distinct members, the roster it saw."""

    TYPE: ClassVar[str] = "audience.completed"
    TOPIC: ClassVar[Topic] = AUDIENCE_COMPLETED
    SIGNED: ClassVar[bool] = True
    SIGNED_BY: ClassVar[str] = "geofence"

    alert_id: UUID
    version: Version
    run_id: UUID
    chunks: Count
    members: Count
    roster_offsets: dict[str, Count]
    roster_topic_id: str
    area_digest: Digest

    def key(self) -> str:
        """Return the alert."""
        return str(self.alert_id)


class AudienceRefused(Event):
    """An alert is not resolved, or not any further: it is to be held, and a person to be called."""

    TYPE: ClassVar[str] = "audience.refused"
    TOPIC: ClassVar[Topic] = AUDIENCE_REFUSED
    SIGNED: ClassVar[bool] = True
    SIGNED_BY: ClassVar[str] = "geofence"

    alert_id: UUID
    version: Version
    area_digest: Digest
    reason: Word

    def key(self) -> str:
        """Return the alert."""
        return str(self.alert_id)
