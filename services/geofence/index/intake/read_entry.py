"""Read a record of the roster topic straight into an entry, for a topic of millions."""

import re
from datetime import datetime
from typing import Any

import orjson

from services.geofence.index.change import FORGOTTEN, change_of
from services.geofence.index.intake.entries import Entry, entry_of
from shared.bus.reading import MAX_HEADERS, read
from shared.events.base import EARLIEST_YEAR, LATEST_YEAR
from shared.events.envelope import Poison
from shared.events.subscriber import PlaceChanged
from shared.events.topics import Topic
from shared.security.signing import Verifier

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00", re.ASCII)


def read_entry(topic: Topic, record: Any, verifier: Verifier | None) -> Entry:
    """Read one record; a null value means forget its key.

    A record written as the relay writes them is read in a fifth of the time that the full check
    of its form takes; every other one gets that check. What is read here is what would be read
    there, which tests hold it to.

    Raises:
        Poison: it can never be read (BadSignature and UnknownMajor are kinds of it).
    """
    try:
        entry = _plain(record)
    except (AttributeError, KeyError, TypeError, ValueError):
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


def _plain(record: Any) -> Entry | None:
    """Read a record of the commonest form, or return nothing or raise at what is unusual."""
    body = orjson.loads(record.value)
    data = body["data"]
    reach = data["reach"]
    version, channels, language = data["version"], reach["channels"], reach["language"]
    usual = (
        len(record.headers) <= MAX_HEADERS
        and body["type"] == PlaceChanged.TYPE
        and body["version"] == PlaceChanged.VERSION
        and _UUID.fullmatch(body["id"])
        and _is_moment(body["occurred_at"])
        and type(body["producer"]) is str
        and _may_be_text(body["traceparent"], body["key_id"], body["signature"])
        and _UUID.fullmatch(data["subscriber_id"])
        and data["subscriber_id"].encode() == record.key
        and data["erased"] is False
        and type(version) is int
        and 1 <= version < FORGOTTEN
        and type(channels) is int
        and 0 <= channels <= 7
        and _is_text(language, 2, 35)
        and _is_text(reach["severity_floor"], 1, 64)
        and type(reach["emergency_only"]) is bool
        and type(data["places"]) is list
    )
    if not usual:
        return None
    spots = [_spot(place) for place in data["places"]]
    resident = bytes.fromhex(data["subscriber_id"].replace("-", ""))
    return Entry(resident, version, channels, language, spots)


def _spot(place: dict[str, Any]) -> tuple[float, float, float]:
    lon, lat, metres = place["lon"], place["lat"], place["uncertainty_m"]
    if not (
        type(lon) is type(lat) is type(metres) is float
        and -180 <= lon <= 180
        and -90 <= lat <= 90
        and 0 <= metres <= 100_000
        and _UUID.fullmatch(place["place_id"])
    ):
        raise ValueError
    return lon, lat, metres


def _is_moment(text: str) -> bool:
    plausible = EARLIEST_YEAR <= int(text[:4]) <= LATEST_YEAR and _MOMENT.fullmatch(text)
    # Raises where there is no such day or hour.
    return bool(plausible and datetime.fromisoformat(text))


def _is_text(value: object, least: int, most: int) -> bool:
    return type(value) is str and least <= len(value) <= most


def _may_be_text(*values: object) -> bool:
    return all(value is None or type(value) is str for value in values)
