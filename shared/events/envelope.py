"""The envelope every event travels in: written by encode, read and checked by decode."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NoReturn
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from shared.events.alert import AlertApproved, AlertEnded
from shared.events.audience import AudienceCompleted, AudienceRefused, AudienceResolved
from shared.events.base import Event, Moment
from shared.events.delivery import DeliveryRequested
from shared.events.inbound import ContactReported, InboundReceived
from shared.events.operations import DeadLetter, Heartbeat
from shared.events.receipt import ReceiptReceived
from shared.events.subscriber import ContactChanged, NoticeRequested, PlaceChanged
from shared.events.topics import DEAD, Topic
from shared.identifiers import new_id
from shared.security.signing import SignatureInvalid, Signer, Verifier

EVENTS: tuple[type[Event], ...] = (
    PlaceChanged,
    ContactChanged,
    NoticeRequested,
    InboundReceived,
    ContactReported,
    AlertApproved,
    AlertEnded,
    AudienceResolved,
    AudienceCompleted,
    AudienceRefused,
    DeliveryRequested,
    ReceiptReceived,
    Heartbeat,
    DeadLetter,
)
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


class Poison(Exception):
    """A record that nobody can ever handle; `reason` is a fixed word without any of its content."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class BadSignature(Poison):
    """A record of a signed topic without the signature of the service that owns it."""


class UnknownMajor(Poison):
    """A record written by a newer major version than this program knows."""


class TooLarge(ValueError):
    """An event larger than its topic takes."""


class Envelope(BaseModel):
    """What stands around the event itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    type: str
    version: str
    occurred_at: Moment
    producer: str
    traceparent: str | None = None
    key_id: str | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record ready to be sent; a null value means forget this key."""

    topic: Topic
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def _readers() -> dict[type[Event], Any]:
    readers: dict[type[Event], Any] = {}
    for event in EVENTS:
        record = create_model(
            f"{event.__name__}Envelope",
            __base__=Envelope,
            type=(Literal[event.TYPE], ...),  # type: ignore[arg-type]
            data=(event, ...),
        )
        readers[event] = record.__pydantic_validator__
    return readers


_READERS = _readers()
_OF_TOPIC = {event.TOPIC.name: event for event in EVENTS if hasattr(event, "TOPIC")}


def event_type(topic: Topic) -> type[Event]:
    """Return the one kind of event that travels on a topic."""
    if topic.name.endswith(DEAD):
        return DeadLetter
    return _OF_TOPIC.get(topic.name, DeliveryRequested)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.__dict__
    if isinstance(value, UUID):  # asyncpg's own kind of UUID
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in an event")


def encode(
    event: Event,
    *,
    producer: str,
    signer: Signer | None,
    now: datetime,
    traceparent: str | None = None,
) -> Outgoing:
    """Put an event into its envelope, signed where its kind is signed.

    Raises:
        ValueError: a signed event without a signer of that producer.
        TooLarge: the record is larger than its topic takes.
    """
    record: dict[str, object] = {
        "id": new_id(),
        "type": event.TYPE,
        "version": event.VERSION,
        "occurred_at": now,
        "producer": producer,
        "traceparent": traceparent,
        "key_id": None,
        "data": event.__dict__,
    }
    if event.SIGNED:
        if signer is None or signer.producer != producer:
            raise ValueError(f"{event.TYPE} needs the signature of {producer}")
        record["key_id"] = signer.key_id
        canonical = orjson.dumps(record, default=_plain, option=orjson.OPT_SORT_KEYS)
        record["signature"] = signer.sign(canonical)
    else:
        record["signature"] = None
    value = orjson.dumps(record, default=_plain)
    topic = event.topic()
    if len(value) > topic.max_bytes:
        raise TooLarge(f"{event.TYPE} of {len(value)} bytes; {topic.name} takes {topic.max_bytes}")
    return Outgoing(topic, event.key().encode(), value)


def tombstone(topic: Topic, key: str) -> Outgoing:
    """Make the null record that lets a compacted topic forget a key.

    Raises:
        ValueError: the topic is not compacted.
    """
    if not topic.compacted:
        raise ValueError(f"{topic.name} forgets by age, not by a null record")
    return Outgoing(topic, key.encode(), None)


def decode(
    topic: Topic, value: bytes | None, verifier: Verifier | None, *, key: bytes | None = None
) -> tuple[Envelope, Event]:
    """Read a record of a topic, check its signature and, where a key is given, its key.

    Raises:
        UnknownMajor: a newer major version wrote it.
        BadSignature: unsigned, forged or by a service that does not own the topic.
        Poison: anything else that is wrong with it.
    """
    if not value:
        raise Poison("empty-value")
    kind = event_type(topic)
    if kind.SIGNED:
        value = _verified(kind, value, verifier)
    try:
        record = _READERS[kind].validate_json(value, strict=True)
    except ValidationError as error:
        _explain(kind, value, error)
    if not _same_major(kind, record.version):
        raise UnknownMajor("unknown-major-version", f"{kind.TYPE} {record.version[:9]}")
    event: Event = record.data
    if key is not None and event.key().encode() != key:
        raise Poison("key-of-another-body")
    if event.topic().name != topic.name:
        raise Poison("event-of-another-topic")
    return record, event


def _same_major(kind: type[Event], version: object) -> bool:
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        raise Poison("malformed-version")
    return match[1] == kind.VERSION.partition(".")[0]


def _verified(kind: type[Event], value: bytes, verifier: Verifier | None) -> bytes:
    """Return the very bytes the signature covers, so that nothing unsigned is ever read."""
    record = _parsed(value)
    signature = record.pop("signature", None)
    producer, key_id = record.get("producer"), record.get("key_id")
    if not (isinstance(signature, str) and isinstance(producer, str) and isinstance(key_id, str)):
        raise BadSignature("signature-missing")
    if producer != kind.SIGNED_BY:
        raise BadSignature("signature-of-another-service")
    if verifier is None:
        raise BadSignature("no-verifier")
    canonical = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    try:
        verifier.verify(producer=producer, key_id=key_id, signature=signature, data=canonical)
    except SignatureInvalid as error:
        raise BadSignature("signature-invalid") from error
    return canonical


def _parsed(value: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Poison("not-json") from error
    if not isinstance(record, dict):
        raise Poison("not-an-object")
    return record


def _explain(kind: type[Event], value: bytes, error: ValidationError) -> NoReturn:
    """Say in fixed words why a record cannot be read; its content never enters the reason."""
    record = _parsed(value)
    if record.get("type") == kind.TYPE and not _same_major(kind, record.get("version")):
        raise UnknownMajor("unknown-major-version", kind.TYPE) from error
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(part for part in first["loc"] if isinstance(part, str))
    known = place if re.fullmatch(r"[a-z_.]{1,80}", place) else "?"
    raise Poison("malformed-event", f"{known} {first['type']}") from error
