"""The dispatcher that knows partners' keys, as its service assembles it, behind a line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx2
from prometheus_client import REGISTRY

import services.dispatcher.service as dispatcher
from services.dispatcher.settings import Context, DispatcherSettings
from shared.db.session import ALL_TOWNS, execute
from shared.security.keys import KeyRing
from tests.conftest import KeyRings
from tests.contract.apis.outages import Line, line_to
from tests.servers import ServiceDatabase
from tests.simulated import listening

RECOGNISE = "/internal/v1/partners/recognise"


@dataclass(frozen=True, slots=True)
class Partners:
    """The dispatcher, and the line by which the geofence reaches it."""

    client: httpx2.AsyncClient
    context: Context
    keyrings: KeyRings
    line: Line

    @property
    def url(self) -> str:
        """Return where the line begins."""
        return f"http://127.0.0.1:{self.line.port}"

    async def enrol(self) -> dict[str, str]:
        """Enrol a partner; return the headers of its key."""
        body = {"name": "Alarm company", "sender": f"{uuid4().hex}@example.org", "town": "*"}
        token = self.token("issuer", "admin")
        answer = await self.client.post("/v1/partners", json=body, headers=token)
        assert answer.status_code == 201, answer.text
        return {"X-Api-Key": answer.json()["api_key"]}

    async def disable(self, key: dict[str, str]) -> None:
        """Disable the partner of a key."""
        sql = "UPDATE dispatcher_partner SET disabled_at = now() WHERE key_prefix = :prefix"
        async with self.context.database.transaction(town=ALL_TOWNS) as tx:
            assert await execute(tx, sql, prefix=key["X-Api-Key"].split("_")[1]) == 1

    def token(self, ring: str, role: str) -> dict[str, str]:
        """Return the headers of a role whose tokens a ring makes."""
        issuer = KeyRing.load(self.keyrings.path(ring)).tokens.issuer
        assert issuer is not None
        return {"Authorization": f"Bearer {issuer.issue(subject=ring, roles=[role])}"}


def asked() -> float:
    """Return how often this process has been asked whose a key is."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "ctalert_http_requests_total" and sample.labels["route"] == RECOGNISE
    )


@asynccontextmanager
async def open_partners(database: ServiceDatabase, keyrings: KeyRings) -> AsyncIterator[Partners]:
    """Serve the dispatcher's API on a database for the length of a `with`, without a bus."""
    settings = DispatcherSettings(
        database_url=database.app_url,
        keyring=keyrings.path("dispatcher"),
        kafka_bootstrap="127.0.0.1:1",
        port=0,
    )
    role = await dispatcher.assemble("api", settings)
    assert role.app is not None
    transport = httpx2.ASGITransport(app=role.app)
    async with (
        listening(role.app) as url,
        line_to(url) as line,
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        context: Context = role.app.state.context  # type: ignore[attr-defined]
        yield Partners(client, context, keyrings, line)
    await role.closing.aclose()
