"""The dispatcher's API on a real database, with people to sign in and a geofence to ask."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
from aiohttp import ClientSession

from services.dispatcher.alerts.api import router as alerts_router
from services.dispatcher.cap.api import router as cap_router
from services.dispatcher.reports.api import router as reports_router
from services.dispatcher.settings import Context, DispatcherSettings
from services.dispatcher.staff.api import router as staff_router
from services.dispatcher.staff.page import Pager
from services.dispatcher.staff.partners import PartnerKeys
from shared.bus.kafka.bus import Bus
from shared.bus.outbox import Outbox
from shared.db.session import ALL_TOWNS, execute, fetch, open_database
from shared.service import Part
from shared.watch.health import Health
from shared.web.app import make_app
from shared.web.auth import BearerJwt
from shared.web.idempotency import Idempotency
from shared.web.limits import Limits
from tests.fakes_geofence import FakeGeofence

TRIANGLE = [[-72.93, 41.30], [-72.91, 41.30], [-72.92, 41.32], [-72.93, 41.30]]
AREA = {"include": [{"type": "geojson",
                     "geometry": {"type": "Polygon", "coordinates": [TRIANGLE]}}]}  # fmt: skip


class TestClock:
    """A clock that a test may push forward."""

    __test__ = False

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the moment, plus what the test added."""
        return datetime.now(UTC) + self.ahead


@dataclass
class Desk:
    """A client and the context behind it."""

    client: httpx2.AsyncClient
    context: Context
    geofence: FakeGeofence
    clock: TestClock
    issuer: Any
    keys: dict[str, str] = field(default_factory=dict)

    def sign_in(
        self, subject: str, *, roles: tuple[str, ...] = ("manager",), town: str = "*",
        minutes_ago: float = 0,
    ) -> dict[str, str]:  # fmt: skip
        """Return the headers of somebody who signed in some minutes ago."""
        auth_time = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        token = self.issuer.issue(subject=subject, roles=roles, town=town, auth_time=auth_time)
        return {"Authorization": f"Bearer {token}"}

    async def draft(self, who: dict[str, str], **changes: Any) -> httpx2.Response:
        """Draft an alert over a triangle of New Haven."""
        headers = {**who, "Idempotency-Key": str(uuid4())}
        return await self.client.post("/v1/alerts", json=alert(**changes), headers=headers)

    async def submitted(self, who: dict[str, str], **changes: Any) -> dict[str, Any]:
        """Draft and submit an alert; return it as shown."""
        made = (await self.draft(who, **changes)).json()
        answer = await self.client.post(f"/v1/alerts/{made['alert_id']}/submit", headers=who)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def approve(
        self, shown: dict[str, Any], who: dict[str, str], **changes: Any
    ) -> httpx2.Response:
        """Approve an alert as shown."""
        body = {"digest": shown["digest"], "count": shown["count"], **changes}
        return await self.client.post(
            f"/v1/alerts/{shown['alert_id']}/approve", json=body, headers=who
        )

    async def approved(self, **changes: Any) -> dict[str, Any]:
        """Draft, submit and approve an alert by two persons."""
        shown = await self.submitted(self.sign_in("ada"), **changes)
        answer = await self.approve(shown, self.sign_in("ben"))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def enrol(self, **changes: Any) -> tuple[str, dict[str, str]]:
        """Enrol a partner; return its sender and the headers of its key."""
        body = {"name": "Weather", "sender": f"{uuid4().hex}@example.org", "categories": ["Met"],
                "town": "*", **changes}  # fmt: skip
        admin = self.sign_in("root", roles=("admin",))
        answer = await self.client.post("/v1/partners", json=body, headers=admin)
        assert answer.status_code == 201, answer.text
        return str(body["sender"]), {"X-Api-Key": answer.json()["api_key"]}

    async def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """Return rows of the database, all towns visible."""
        async with self.context.database.transaction(town=ALL_TOWNS) as tx:
            return [dict(row) for row in await fetch(tx, sql, **params)]

    async def run(self, sql: str, **params: Any) -> int:
        """Change rows of the database, all towns visible."""
        async with self.context.database.transaction(town=ALL_TOWNS) as tx:
            return await execute(tx, sql, **params)


def alert(**changes: Any) -> dict[str, Any]:
    """Return the body of an alert that expires in an hour."""
    expires = datetime.now(UTC) + timedelta(hours=1)
    return {
        "event": "Boil Water Advisory", "category": "Health", "severity": "Moderate",
        "urgency": "Expected", "certainty": "Likely", "status": "Actual", "emergency": False,
        "expires_at": expires.isoformat(), "area": AREA, "channels": ["sms", "voice", "email"],
        "texts": {
            "en-US": {"headline": "Boil your water", "description": "A main broke.",
                      "instruction": "Boil water for one minute."},
            "es-US": {"headline": "Hierva el agua", "description": "Se rompió un tubo.",
                      "instruction": "Hierva el agua un minuto."},
        },
        **changes,
    }  # fmt: skip


@asynccontextmanager
async def open_desk(
    database: Any, keyrings: Any, kafka: str = "", **changes: Any
) -> AsyncIterator[Desk]:
    """Open the API of the rooms above delivery on a database; `changes` are settings."""
    geofence = FakeGeofence(keyrings.ring("geofence"))
    url = await geofence.start()
    given: dict[str, Any] = {
        "kafka_bootstrap": kafka or "127.0.0.1:1", "keyring": keyrings.path("dispatcher"),
        "database_url": database.app_url, "geofence_url": url, "max_alerts_per_hour": 10_000,
        "max_drafts_per_minute": 10_000, "max_cap_per_minute": 10_000,
        "duty_address": "duty@example.org", "public_url": "http://api.example.org", **changes,
    }  # fmt: skip
    settings = DispatcherSettings(**given)
    ring, clock = keyrings.ring("dispatcher"), TestClock()
    opened = open_database(settings.database_url, application_name="desk", pool_size=10)
    outbox = Outbox("dispatcher", signer=ring.signer, clock=clock)
    bus = Bus(settings.kafka_bootstrap)
    async with ClientSession() as http:
        context = Context(
            settings=settings, database=opened, bus=bus, outbox=outbox, keyring=ring, clock=clock,
            health=Health(), limits=Limits(opened, "dispatcher"),
            idempotency=Idempotency("dispatcher"), http=http,
            page=Pager(opened, outbox=outbox, keyring=ring, clock=clock, channel="email",
                       address=settings.duty_address),
        )  # fmt: skip
        app = make_app(
            title="desk", service="dispatcher",
            routers=[staff_router, alerts_router, cap_router, reports_router],
            authenticators=[BearerJwt(ring.tokens.verifier), PartnerKeys(opened)],
        )  # fmt: skip
        app.state.context = context
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            issuer = keyrings.ring("issuer").tokens.issuer
            yield Desk(client, context, geofence, clock, issuer)
    await opened.close()
    await bus.close()
    await geofence.stop()


async def do_once(parts: Sequence[Part]) -> None:
    """Have each timer work one time: it looks at `stop` only after its first work."""
    for part in parts:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        await part.run(stop)


def codes(answer: httpx2.Response) -> set[str]:
    """Return the codes of a problem, which every refusal must be."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    return {body["type"].rpartition(":")[2], *(one["code"] for one in body.get("errors", ()))}
