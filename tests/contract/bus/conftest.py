"""What the bus's suite stands on: an outbox of its own, keys, and records to send."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import asyncpg
import pytest

from shared.bus.message import Message
from shared.bus.store import outbox_ddl
from shared.db.session import Database, open_database
from shared.events.delivery import DeliveryRequested
from shared.events.envelope import Outgoing, encode
from shared.events.receipt import ReceiptReceived
from shared.security.signing import Signer, Verifier

SERVICE = "subscriber"
PRODUCERS = {"dispatcher": 1, "geofence": 2}


class Part(Protocol):
    """What runs till it is told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run."""
        ...


@asynccontextmanager
async def running(*parts: Part) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Run parts beside the block, then stop them and hear what they say."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(part.run(stop)) for part in parts]
    try:
        yield tasks
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Desk:
    """A handler that remembers what it was given and lets a test wait for it."""

    fails: Callable[[Sequence[Message]], Exception | None] = lambda _: None
    seen: list[Message] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, messages: Sequence[Message]) -> None:
        """Take a batch, or fail as the test wants it."""
        async with self.changed:
            self.calls.append(len(messages))
            self.changed.notify_all()
        error = self.fails(messages)
        if error is not None:
            raise error
        async with self.changed:
            self.seen += messages
            self.changed.notify_all()

    async def until(self, done: Callable[["Desk"], bool], seconds: float = 30) -> None:
        """Wait until the desk looks as wanted."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(lambda: done(self))


def signer(producer: str) -> Signer:
    """Return the signer of a producer, the same one in every test."""
    return Signer(bytes([PRODUCERS[producer]]) * 32, producer=producer, key_id="example")


@pytest.fixture(scope="session")
def verifier() -> Verifier:
    """Knows the public halves of `signer`."""
    return Verifier(
        {
            producer: {"example": signer(producer)._key.public_key().public_bytes_raw()}
            for producer in PRODUCERS
        }
    )


def delivery(n: int, *, channel: str = "sms", priority: str = "urgent") -> DeliveryRequested:
    """Make the n-th delivery."""
    return DeliveryRequested(
        delivery_id=uuid.UUID(int=n),
        channel=channel,
        priority=priority,
        address_hash=f"{n:064x}",
    )


def receipt(n: int) -> ReceiptReceived:
    """Make the n-th receipt."""
    return ReceiptReceived(
        delivery_id=uuid.UUID(int=n),
        provider="twilio",
        channel="sms",
        sid=f"SM{n:032x}",
        status="sent",
        received_at=datetime.now(UTC),
    )


def sealed(event: Any, *, producer: str = "dispatcher") -> Outgoing:
    """Put an event into its envelope, signed where it must be."""
    by = signer(producer) if event.SIGNED else None
    return encode(event, producer=producer, signer=by, now=datetime.now(UTC))


@pytest.fixture
async def outbox_urls(fresh_database: Any) -> tuple[str, str]:
    """An empty outbox: the application's URL and the administrator's."""
    made = fresh_database(SERVICE, migrated=False)
    owner = await asyncpg.connect(made.owner_url.replace("+asyncpg", ""))
    try:
        for statement in outbox_ddl(SERVICE):
            await owner.execute(statement)
        await owner.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {SERVICE}_app"
        )
        await owner.execute(
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {SERVICE}_app"
        )
    finally:
        await owner.close()
    return made.app_url, made.admin_url


@pytest.fixture
async def database(outbox_urls: tuple[str, str]) -> AsyncIterator[Database]:
    """The outbox's database as the application reaches it."""
    database = open_database(outbox_urls[0], application_name="test")
    yield database
    await database.close()
