"""The doors of selections on a database of a test's own, without index and bus."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from services.geofence.areas.atlas import Atlas
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.layers.addresses.import_addresses import import_addresses
from services.geofence.layers.addresses.read_addresses import read_addresses
from services.geofence.selections.api import make_routers
from shared.db.session import Database, open_database
from shared.web.app import make_app
from shared.web.auth import BearerJwt
from shared.web.idempotency import Idempotency
from shared.web.limits import Limits
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase

CSV = "text/csv"


@dataclass
class Counter:
    """A client of the selections room, and its database."""

    client: httpx2.AsyncClient
    database: Database
    keyrings: KeyRings

    def staff(self, role: str = "manager", *, subject: str = "someone") -> dict[str, str]:
        """Return the headers of somebody with a role."""
        issuer = self.keyrings.ring("issuer").tokens.issuer
        assert issuer is not None
        token = issuer.issue(subject=subject, roles=[role], town="*")
        return {"Authorization": f"Bearer {token}"}

    async def post(self, path: str, body: Any, media: str = CSV, **query: Any) -> httpx2.Response:
        """Post a body of a media type as a manager."""
        content = {"json": body} if media == "application/json" else {"content": body}
        headers = self.staff() | {"Content-Type": media}
        return await self.client.post(path, params=query, headers=headers, **content)

    async def know(self, csv: str) -> None:
        """Import addresses."""
        data = csv.encode()
        with read_addresses(data, "csv", fields={}) as file:
            async with self.database.transaction() as tx:
                await import_addresses(tx, data, file, fields={})


@pytest.fixture(scope="module")
async def workshop() -> AsyncIterator[Workshop]:
    """One process that makes areas."""
    workshop = Workshop(hands=1)
    yield workshop
    await workshop.close()


@pytest.fixture
async def counter(
    fresh_database: Callable[..., ServiceDatabase], keyrings: KeyRings, workshop: Workshop
) -> AsyncIterator[Counter]:
    """The room behind a client."""
    database = open_database(fresh_database("geofence").app_url, application_name="test")
    app = make_app(
        title="selections",
        service="geofence",
        routers=make_routers(
            database=database,
            atlas=Atlas(),
            workshop=workshop,
            limits=Limits(database, "geofence"),
            idempotency=Idempotency("geofence"),
        ),
        authenticators=[BearerJwt(keyrings.ring("geofence").tokens.verifier)],
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Counter(client, database, keyrings)
    await database.close()
