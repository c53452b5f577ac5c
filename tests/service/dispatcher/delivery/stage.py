"""Cards, broadcasts and chunks on a real database, as the application role sees it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from services.dispatcher.contacts.keep_contact import keep_contact
from services.dispatcher.delivery.broadcasts.open_broadcast import open_broadcast
from services.dispatcher.delivery.claims.claim import claim
from services.dispatcher.delivery.deliver import Deliverer
from services.dispatcher.delivery.states import Broadcast, Claimed, Texts
from services.dispatcher.delivery.wording.compose import Composer
from services.dispatcher.recipients.cast import FannedOut
from services.dispatcher.recipients.complete import complete
from services.dispatcher.recipients.fan_out import fan_out
from shared.bus.message import Message
from shared.bus.outbox import Outbox
from shared.clock import SystemClock
from shared.db.session import ALL_TOWNS, Database, Tx, execute, fetch, open_database
from shared.events.audience import AudienceCompleted, AudienceResolved, pack_ids
from shared.events.base import Event
from shared.events.delivery import DeliveryRequested
from shared.events.subscriber import ContactChanged
from shared.events.topics import CONTACT_CHANGED
from shared.security.keys import KeyRing
from tests.fakes_provider import FakeProvider

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
AREA = "ab" * 32


def message_of(event: Event | None, *, key: str = "") -> Message:
    """Wrap an event as the bus hands it over."""
    topic = event.topic() if event else CONTACT_CHANGED
    return Message(topic, 0, 0, 0, (event.key() if event else key).encode(), None, event)


class Pages:
    """Keeps what somebody was called for."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.paged = asyncio.Event()

    async def __call__(self, reason: str) -> None:
        """Keep a page."""
        self.reasons.append(reason)
        self.paged.set()

    async def within(
        self, tx: Tx, reason: str, *, key: str | None = None, cause: str | None = None
    ) -> None:
        """Keep a page of a transaction."""
        await self(reason)


class Stage:
    """A database with what a test puts on it."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        assert ring.sealer is not None
        assert ring.hasher is not None
        self.database, self.ring = database, ring
        self.sealer, self.hasher = ring.sealer, ring.hasher
        self.page = Pages()
        self.pages, self.paged = self.page.reasons, self.page.paged

    def card(
        self,
        subscriber_id: UUID,
        *points: tuple[str, str],
        version: int = 1,
        opted_in_at: datetime = LONG_AGO,
        basis: str = "verified",
        **card: Any,
    ) -> Message:
        """Make the event of a card; points are pairs of channel and address."""
        body = {
            "language": "en-US",
            **card,
            "contact_points": [
                {
                    "contact_id": str(uuid4()),
                    "channel": channel,
                    "address_sealed": self.sealer.seal(address.encode(), context="address"),
                    "address_hash": self.hasher.hash(address).digest.hex(),
                    "hash_key_id": self.hasher.hash(address).key_id,
                    "basis": basis,
                    "position": n,
                    "opted_in_at": opted_in_at.isoformat(),
                }
                for n, (channel, address) in enumerate(points)
            ],
        }
        sealed = self.sealer.seal(orjson.dumps(body), context=f"card:{subscriber_id}:{version}")
        return message_of(
            ContactChanged(
                subscriber_id=subscriber_id,
                version=version,
                opted_in_at=opted_in_at,
                card_sealed=sealed,
            )
        )

    async def keep(self, *cards: Message) -> list[UUID]:
        """Keep cards, as their consumer does."""
        async with self.database.transaction(town=ALL_TOWNS) as tx:
            return await keep_contact(tx, cards, sealer=self.sealer)

    async def residents(self, count: int, *, channel: str = "sms") -> list[UUID]:
        """Keep cards of so many residents, a number each."""
        ids = [uuid4() for _ in range(count)]
        await self.keep(*(self.card(one, (channel, f"+1860{one.int % 10**7:07}")) for one in ids))
        return ids

    async def broadcast(self, **changes: Any) -> UUID:
        """Open a broadcast and return its alert."""
        values: dict[str, Any] = {
            "alert_id": uuid4(),
            "version": 1,
            "kind": "alert",
            "town": "*",
            "priority": "urgent",
            "severity": "Severe",
            "category": "Met",
            "emergency": False,
            "texts": {
                "en-US": Texts("Storm. Ref 7F3K9Q", "A storm comes.", "Storm", "A storm comes."),
                "es-US": Texts("Tormenta", "Viene una tormenta.", "Tormenta", "Una tormenta."),
            },
            "channels": ["sms", "voice", "email"],
            "reference": "7F3K9Q",
            "expires_at": datetime.now(UTC) + timedelta(hours=1),
            "area_digest": AREA,
            **changes,
        }
        async with self.database.transaction(town=ALL_TOWNS) as tx:
            await open_broadcast(tx, Broadcast(**values))
        return UUID(str(values["alert_id"]))

    async def fan_out(
        self, alert_id: UUID, members: Iterable[UUID], *, n: int = 0, **changes: Any
    ) -> FannedOut:
        """Fan out a chunk in a transaction of its own."""
        async with self.database.transaction(town=ALL_TOWNS) as tx:
            return await fan_out(tx, chunk_of(alert_id, members, n=n, **changes))

    async def complete(self, *subscribers: UUID) -> FannedOut:
        """Complete for these residents, or for all whose cards changed lately."""
        async with self.database.transaction(town=ALL_TOWNS) as tx:
            return await complete(tx, subscribers=subscribers or None)

    async def claim(self, *ids: UUID, channel: str = "sms") -> list[Claimed]:
        """Claim deliveries, as a worker does."""
        async with self.database.transaction(town=ALL_TOWNS) as tx:
            return await claim(tx, ids, provider="fake", channel=channel)

    async def sendable(self, count: int = 1, **changes: Any) -> tuple[UUID, list[UUID]]:
        """Open a broadcast to new residents; return the alert and its deliveries."""
        alert_id = await self.broadcast(**changes)
        made = await self.fan_out(alert_id, await self.residents(count))
        return alert_id, [one.delivery_id for one in made.requests]

    async def delivery(self, delivery_id: UUID) -> dict[str, Any]:
        """Return a delivery's row."""
        (row,) = await self.rows(
            "SELECT * FROM dispatcher_delivery WHERE delivery_id = :id", id=delivery_id
        )
        return row

    async def states(self, alert_id: UUID, version: int = 1) -> dict[str, int]:
        """Return how many deliveries of a broadcast are in each state."""
        found = await self.rows(
            """SELECT state, count(*) AS n FROM dispatcher_delivery
               WHERE alert_id = :alert_id AND version = :version GROUP BY state""",
            alert_id=alert_id,
            version=version,
        )
        return {row["state"]: row["n"] for row in found}

    async def exclusions(self, alert_id: UUID) -> set[tuple[UUID, str, str]]:
        """Return who was excluded, on which channel, and why."""
        found = await self.rows(
            "SELECT * FROM dispatcher_exclusion WHERE alert_id = :alert_id", alert_id=alert_id
        )
        return {(row["subscriber_id"], row["channel"], row["reason"]) for row in found}

    async def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """Return rows of the database, all towns visible."""
        async with self.database.transaction(town=ALL_TOWNS) as tx:
            return [dict(row) for row in await fetch(tx, sql, **params)]

    async def run(self, sql: str, **params: Any) -> int:
        """Change rows of the database, all towns visible."""
        async with self.database.transaction(town=ALL_TOWNS) as tx:
            return await execute(tx, sql, **params)

    def deliverer(
        self, provider: FakeProvider, *, slots: int = 8, database: Any = None
    ) -> Deliverer:
        """Make a channel's hand-over on the provider, over another database if one is given."""
        composer = Composer(
            self.database, keyring=self.ring, public_url="https://a.example", authority="CT Alert"
        )
        return Deliverer(
            database=database or self.database,
            provider=provider,
            composer=composer,
            outbox=Outbox("dispatcher", signer=self.ring.signer, clock=SystemClock()),
            clock=SystemClock(),
            page=self.page,
            slots=slots,
        )


def chunk_of(
    alert_id: UUID, members: Iterable[UUID], *, n: int = 0, **changes: Any
) -> AudienceResolved:
    """Make a chunk of residents inside the area."""
    values: dict[str, Any] = {
        "alert_id": alert_id,
        "version": 1,
        "run_id": UUID(int=1),
        "chunk": n,
        "area_digest": AREA,
        "inside": pack_ids(members),
        **changes,
    }
    return AudienceResolved(**values)


def run_of(alert_id: UUID, *, chunks: int, members: int, **changes: Any) -> AudienceCompleted:
    """Make the end of a run."""
    values: dict[str, Any] = {
        "alert_id": alert_id,
        "version": 1,
        "run_id": UUID(int=1),
        "chunks": chunks,
        "members": members,
        "roster_offsets": {"0": 7},
        "roster_topic_id": "topic",
        "area_digest": AREA,
        **changes,
    }
    return AudienceCompleted(**values)


@asynccontextmanager
async def open_stage(database: Any, keyrings: Any, *, pool_size: int = 8) -> AsyncIterator[Stage]:
    """Open the stage on a service's database, as the application role."""
    opened = open_database(database.app_url, application_name="stage", pool_size=pool_size)
    yield Stage(opened, keyrings.ring("dispatcher"))
    await opened.close()


def ids_of(done: FannedOut | Sequence[Claimed]) -> list[UUID]:
    """Return the deliveries of a fan-out or a claim."""
    return [one.delivery_id for one in (done.requests if isinstance(done, FannedOut) else done)]


def asked(*ids: UUID) -> list[Any]:
    """Ask for deliveries, as the bus hands them over."""
    return [
        message_of(
            DeliveryRequested(
                delivery_id=one, channel="sms", priority="urgent", address_hash="ab" * 32
            )
        )
        for one in ids
    ]


async def hand_over(stage: Stage, provider: FakeProvider, *ids: UUID, slots: int = 8) -> None:
    """Hand deliveries over with a process that comes and goes."""
    async with stage.deliverer(provider, slots=slots) as worker:
        await worker.handle(asked(*ids), priority="urgent")
