"""Read a record of the roster topic straight into an entry, for a topic of millions."""

import re
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.json import Decoder

from services.geofence.index.change import FORGOTTEN, change_of
from services.geofence.index.intake.entries import Entry, entry_of
from shared.bus.reading import MAX_HEADERS, read
from shared.events.base import EARLIEST_YEAR, LATEST_YEAR
from shared.events.envelope import Poison
from shared.events.subscriber import PlaceChanged
from shared.events.topics import Topic
from shared.security.signing import Verifier

_UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?\+00:00", re.ASCII
)


def read_entry(topic: Topic, record: Any, verifier: Verifier | None) -> Entry:
    """Read one record; a null value means forget its key.

    A record written as the relay writes them is read in a third of the time that the full check
    of its form takes; every other one gets that check. What is read here is what would be read
    there, which tests hold it to.

    Raises:
        Poison: it can never be read (BadSignature and UnknownMajor are kinds of it).
    """
    try:
        entry = _plain(record)
    except (TypeError, ValueError):
        entry = None
    if entry is not None:
        return entry
    message = read(topic, record, verifier)
    if message.event is not None and not isinstance(message.event, PlaceChanged):
        raise Poison("event-of-another-topic")
    try:
        return entry_of(change_of(message.key, message.event))
    except ValueError:
        raise Poison("key-is-no-resident") from None


class _Form(Struct, gc=False, forbid_unknown_fields=True):
    """The commonest form of a part of a record."""


class _Place(_Form):
    place_id: UUID
    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    uncertainty_m: Annotated[float, Meta(ge=0, le=100_000)]


class _Reach(_Form):
    channels: Annotated[int, Meta(ge=0, le=7)]
    language: Annotated[str, Meta(min_length=2, max_length=35)]
    severity_floor: Annotated[str, Meta(min_length=1, max_length=64)]
    emergency_only: bool


class _Data(_Form):
    subscriber_id: str
    version: Annotated[int, Meta(ge=1, lt=FORGOTTEN)]
    erased: bool
    places: list[_Place]
    reach: _Reach


class _Record(_Form):
    id: UUID
    type: Literal["subscriber.place.changed"]
    version: Literal["1.0"]
    occurred_at: str
    producer: str
    traceparent: str | None
    key_id: str | None
    data: _Data
    signature: str | None


_decode = Decoder(_Record).decode


def _plain(record: Any) -> Entry | None:
    """Read a record of the commonest form, or return nothing or raise at what is unusual."""
    body = _decode(record.value)
    data, key = body.data, record.key
    usual = (
        not data.erased
        and len(record.headers) <= MAX_HEADERS
        and data.subscriber_id.encode() == key
        and _UUID.fullmatch(key)
        and _is_moment(body.occurred_at)
    )
    if not usual:
        return None
    spots = [(place.lon, place.lat, place.uncertainty_m) for place in data.places]
    resident = bytes.fromhex(data.subscriber_id.replace("-", ""))
    return Entry(resident, data.version, data.reach.channels, data.reach.language, spots)


def _is_moment(text: str) -> bool:
    return bool(_MOMENT.fullmatch(text)) and _is_day(text[:10])


# Millions of records are of few days.
@lru_cache
def _is_day(text: str) -> bool:
    # Raises where there is no such day.
    return EARLIEST_YEAR <= date.fromisoformat(text).year <= LATEST_YEAR
