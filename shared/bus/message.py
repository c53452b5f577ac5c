"""What a handler receives, and how a handler is made from a verb."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from shared.db.session import ALL_TOWNS, Database, Tx
from shared.events.base import Event
from shared.events.envelope import Envelope
from shared.events.topics import Topic


@dataclass(frozen=True, slots=True)
class Message:
    """One record that could be read; event and envelope are None where it says: forget this key."""

    topic: Topic
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    envelope: Envelope | None
    event: Event | None

    @property
    def sent_at(self) -> datetime:
        """Return when its producer sent it."""
        return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)


Handler: TypeAlias = Callable[[Sequence[Message]], Awaitable[None]]
Verb: TypeAlias = Callable[[Tx, Sequence[Message]], Awaitable[None]]


def in_transaction(database: Database, verb: Verb, *, town: str | None = ALL_TOWNS) -> Handler:
    """Make a handler that runs the verb in one transaction and returns when it has committed."""

    async def handle(messages: Sequence[Message]) -> None:
        async with database.transaction(town=town) as tx:
            await verb(tx, messages)

    return handle
