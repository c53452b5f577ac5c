"""Turns a record as the broker gave it into a message, or says why it cannot be one."""

from typing import Any

from shared.bus.message import Message
from shared.events.envelope import Poison, decode
from shared.events.topics import Topic
from shared.security.signing import Verifier

MAX_HEADERS = 32


def read(topic: Topic, record: Any, verifier: Verifier | None) -> Message:
    """Read one record of a topic.

    Raises:
        Poison: it can never be read (BadSignature and UnknownMajor are kinds of it).
    """
    key: bytes = record.key or b""
    if len(record.headers) > MAX_HEADERS:
        raise Poison("too-many-headers")
    if record.value is None and topic.compacted and key:
        return Message(topic, record.partition, record.offset, record.timestamp, key, None, None)
    envelope, event = decode(topic, record.value, verifier, key=key)
    return Message(topic, record.partition, record.offset, record.timestamp, key, envelope, event)
