"""Records nobody could handle: kept as references without content, and sent again on request."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from shared.bus.errors import BusError
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.fetch import fetch_at, fetch_from
from shared.bus.kafka.producer import Producer
from shared.bus.reading import read
from shared.clock import Clock
from shared.events.envelope import Outgoing, Poison, encode
from shared.events.operations import DeadLetter
from shared.events.topics import Topic, dead
from shared.identifiers import derive_id
from shared.watch.metrics import Counter

dead_letters = Counter(
    "ctalert_dead_letters_total", "Records nobody could handle", ["group", "topic", "reason"]
)

# Keys of ours are ids, ids joined by colons, keyed hashes, or a service's name; anything else
# may be somebody's telephone number and is kept as its digest.
_OUR_KEY = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:[0-9a-f-]{1,40}){0,3}|[0-9a-f]{64}|[a-z]{3,20}"
)


def letter_for(
    topic: Topic,
    *,
    partition: int,
    offset: int,
    key: bytes,
    value: bytes | None,
    group: str,
    reason: str,
    detail: str,
    attempts: int,
    now: datetime,
) -> DeadLetter:
    """Write the reference to a record: where it lies, its digest and why it was put aside."""
    raw = value or b""
    digest = hashlib.sha256(raw).hexdigest()
    return DeadLetter(
        letter_id=derive_id("dead-letter", topic.name, partition, offset, group, digest),
        origin=topic.name,
        partition=partition,
        offset=offset,
        group=group,
        reason=reason,
        detail=detail[:200],
        sha256=digest,
        size=len(raw),
        attempts=attempts,
        origin_key=_safe_key(key),
        at=now,
    )


class DeadLetters:
    """Writes the dead letters of one consumer group."""

    def __init__(self, producer: Producer, *, group: str, clock: Clock) -> None:
        self._producer = producer
        self._group = group
        self._clock = clock

    async def write(
        self, topic: Topic, record: object, *, reason: str, detail: str = "", attempts: int = 0
    ) -> None:
        """Put a record's reference on its dead-letter topic.

        Raises:
            BusError: it could not be written; nothing may be committed past the record.
        """
        now = self._clock.now()
        letter = letter_for(
            topic,
            partition=record.partition,  # type: ignore[attr-defined]
            offset=record.offset,  # type: ignore[attr-defined]
            key=record.key or b"",  # type: ignore[attr-defined]
            value=record.value,  # type: ignore[attr-defined]
            group=self._group,
            reason=reason,
            detail=detail,
            attempts=attempts,
            now=now,
        )
        await self._producer.send(encode(letter, producer="bus", signer=None, now=now))
        dead_letters.labels(self._group, topic.name, reason).inc()


async def read_dead_letters(bus: Bus, topic: Topic) -> list[DeadLetter]:
    """Return every dead letter of a topic that is still kept, oldest first."""
    letters: list[DeadLetter] = []
    for record in await fetch_from(bus, dead(topic)):
        try:
            event = read(dead(topic), record, None).event
        except Poison:
            continue
        if isinstance(event, DeadLetter):
            letters.append(event)
    return letters


async def replay_dead_letters(bus: Bus, topic: Topic, letters: Sequence[DeadLetter]) -> int:
    """Send the records that letters refer to once more, unchanged; return how many were there.

    Handlers are idempotent, so a record replayed twice changes nothing the second time.

    Raises:
        BusError: the topic is compacted, where an old record sent again would outlive the newer
            one: replay the roster instead.
    """
    if topic.compacted:
        raise BusError(f"{topic.name} keeps the newest record of a key: replay the roster instead")
    wanted = {(letter.partition, letter.offset): letter for letter in letters}
    found = await fetch_at(bus, topic, wanted)
    again = [
        Outgoing(topic, record.key, record.value, tuple(record.headers))
        for place, record in sorted(found.items())
        if hashlib.sha256(record.value or b"").hexdigest() == wanted[place].sha256 and record.key
    ]
    async with bus.producer() as producer:
        for at in range(0, len(again), 100):
            await producer.send_many(again[at : at + 100])
    return len(again)


def _safe_key(key: bytes) -> str:
    text = key.decode("ascii", errors="replace")
    if _OUR_KEY.fullmatch(text):
        return text
    return "sha256:" + hashlib.sha256(key).hexdigest()
