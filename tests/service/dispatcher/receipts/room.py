"""The receipts room on a real database, with deliveries in every state and signed webhooks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx2
import orjson
from aiohttp import ClientSession

from services.dispatcher.receipts.api import router
from services.dispatcher.receipts.letterbox import Letterbox
from services.dispatcher.receipts.settle import settle
from services.dispatcher.settings import Context, DispatcherSettings
from shared.bus.kafka.bus import Bus
from shared.bus.outbox import Outbox
from shared.clock import SystemClock
from shared.db.session import ALL_TOWNS, execute, fetch, open_database
from shared.events.receipt import ReceiptReceived
from shared.watch.health import Health
from shared.web.app import make_app
from shared.web.idempotency import Idempotency
from shared.web.limits import Limits
from simulators.signature import sign_request
from tests.service.dispatcher.delivery.stage import Pages
from tests.simulated import ACCOUNT, MAIL_FROM, SMS_FROM, TOKEN, VOICE_FROM
from tests.waiting import until

PUBLIC_URL = "https://alerts.ct.example"


@dataclass
class Room:
    """A client of the room, its context, and what it paged."""

    client: httpx2.AsyncClient
    context: Context
    pages: list[str] = field(default_factory=list)

    async def post(
        self,
        path: str,
        params: dict[str, str] | list[tuple[str, str]],
        *,
        token: str = TOKEN,
        base: str = PUBLIC_URL,
        account: str = ACCOUNT,
        signature: str | None = None,
        **options: Any,
    ) -> httpx2.Response:
        """Post a webhook signed as the provider signs it."""
        pairs = list(params.items()) if isinstance(params, dict) else params
        pairs = [("AccountSid", account), *pairs]
        made = signature if signature is not None else sign_request(token, base + path, dict(pairs))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": made,
        } | options.pop("headers", {})  # fmt: skip
        content = options.pop("content", urlencode(pairs).encode())
        return await self.client.post(path, content=content, headers=headers, **options)

    async def a_delivery(
        self, *, channel: str = "sms", state: str = "accepted", sid: str | None = None,
        epoch: int = 1, attempts: int = 1, address: str = "+18605551234", rank: int = 0,
        due_s: float | None = None, kind: str = "alert", body: str = "Flood. Ref CT-1",
    ) -> UUID:  # fmt: skip
        """Write a delivery of a live broadcast in the state asked for."""
        alert_id, delivery_id = uuid4(), uuid4()
        keyring = self.context.keyring
        assert keyring.hasher is not None
        assert keyring.sealer is not None
        hashed = keyring.hasher.hash(address)
        texts = f'{{"en": {{"{channel}": "{body}"}}}}'
        await self.run(
            """INSERT INTO dispatcher_broadcast (alert_id, version, kind, town, priority, severity,
                   category, channels, texts, reference, area_digest, expires_at)
               VALUES (:alert_id, 1, :kind, '*', 'urgent', 'Extreme', 'Met', ARRAY[:channel],
                       CAST(:texts AS jsonb), 'CT-1', 'd', now() + interval '1 hour')""",
            alert_id=alert_id, channel=channel, kind=kind, texts=texts,
        )  # fmt: skip
        await self.run(
            """INSERT INTO dispatcher_delivery (delivery_id, alert_id, version, channel,
                   address_hash, hash_key_id, priority, language, chunk_id, state, rank, epoch,
                   attempts, sid, due_at, lease_until)
               VALUES (:delivery_id, :alert_id, 1, :channel, :hash, :key, 'urgent', 'en', :alert_id,
                       :state, :rank, :epoch, :attempts, :sid,
                       now() + make_interval(secs => :due_s),
                       CASE WHEN :state = 'sending' THEN now() + interval '30 s' END)""",
            delivery_id=delivery_id, alert_id=alert_id, channel=channel, hash=hashed.digest,
            key=hashed.key_id, state=state, rank=rank, epoch=epoch, attempts=attempts, sid=sid,
            due_s=due_s,
        )  # fmt: skip
        await self.run(
            """INSERT INTO dispatcher_attempt (delivery_id, epoch, provider, sid)
               VALUES (:delivery_id, :epoch, 'twilio', :sid)""",
            delivery_id=delivery_id, epoch=epoch, sid=sid,
        )  # fmt: skip
        await self.run(
            """INSERT INTO dispatcher_contact (contact_id, subscriber_id, channel, address_sealed,
                   address_hash, hash_key_id, basis, position, opted_in_at)
               VALUES (:id, :id, :channel, :sealed, :hash, :key, 'verified', 0, '2026-01-01')""",
            id=uuid4(), channel=channel, hash=hashed.digest, key=hashed.key_id,
            sealed=keyring.sealer.seal(address.encode(), context="address"),
        )  # fmt: skip
        return delivery_id

    async def settle(self, *receipts: ReceiptReceived) -> None:
        """Settle receipts as one batch."""
        async with self.context.database.transaction(town=ALL_TOWNS) as tx:
            await settle(tx, receipts, outbox=self.context.outbox, page=self.context.page)

    async def until(self, delivery_id: UUID, state: str) -> dict[str, Any]:
        """Return a delivery's row once it is in a state; at most 20 s."""
        return await until(
            lambda: self.delivery(delivery_id), lambda row: bool(row["state"] == state), within_s=20
        )

    async def delivery(self, delivery_id: UUID) -> dict[str, Any]:
        """Return a delivery's row."""
        (row,) = await self.rows(
            "SELECT * FROM dispatcher_delivery WHERE delivery_id = :id", id=delivery_id
        )
        return row

    async def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """Return rows of the database, all towns visible."""
        async with self.context.database.transaction(town=ALL_TOWNS) as tx:
            return [dict(row) for row in await fetch(tx, sql, **params)]

    async def run(self, sql: str, **params: Any) -> int:
        """Change rows of the database, all towns visible."""
        async with self.context.database.transaction(town=ALL_TOWNS) as tx:
            return await execute(tx, sql, **params)

    async def published(self, topic: str) -> list[dict[str, Any]]:
        """Return what the outbox holds for a topic."""
        rows = await self.rows(
            "SELECT value FROM dispatcher_outbox WHERE topic = :topic ORDER BY id", topic=topic
        )
        return [orjson.loads(bytes(row["value"]))["data"] for row in rows]


def a_receipt(delivery_id: UUID, status: str, **changes: Any) -> ReceiptReceived:
    """Make a receipt of a text."""
    given: dict[str, Any] = {
        "delivery_id": delivery_id,
        "provider": "twilio",
        "channel": "sms",
        "sid": "SM1",
        "status": status,
        "epoch": 1,
        "received_at": datetime.now(UTC),
    }
    return ReceiptReceived(**(given | changes))


@asynccontextmanager
async def open_room(database: Any, keyrings: Any, bus: Bus, **settings: Any) -> AsyncIterator[Room]:
    """Open the room on a database and a bus."""
    given = DispatcherSettings(
        kafka_bootstrap=bus.bootstrap, keyring=keyrings.path("dispatcher"),
        database_url=database.app_url, public_url=PUBLIC_URL, twilio_account_sid=ACCOUNT,
        twilio_auth_token=TOKEN, sms_from=SMS_FROM, voice_from=VOICE_FROM, mail_from=MAIL_FROM,
        **settings,
    )  # fmt: skip
    ring, clock, page = keyrings.ring("dispatcher"), SystemClock(), Pages()
    opened = open_database(given.database_url, application_name="receipts", pool_size=5)
    async with ClientSession() as http:
        context = Context(
            settings=given, database=opened, bus=bus, clock=clock, keyring=ring, http=http,
            outbox=Outbox("dispatcher", signer=ring.signer, clock=clock), health=Health(),
            limits=Limits(opened, "dispatcher"), idempotency=Idempotency("dispatcher"), page=page,
        )  # fmt: skip
        app = make_app(title="room", service="dispatcher", routers=[router], authenticators=[])
        app.state.context = context
        app.state.letterbox = Letterbox(bus, clock=clock)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://inside") as client:
            yield Room(client, context, page.reasons)
        await app.state.letterbox.close()
    await opened.close()
