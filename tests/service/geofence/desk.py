"""An assembled replica behind an HTTP client, and tokens to call it with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from services.geofence.service import assemble
from services.geofence.settings import GeofenceSettings
from shared.bus.kafka.bus import Bus
from shared.security.keys import KeyRing
from shared.service import Role
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.parts import eventually, running


@dataclass
class Desk:
    """A client, the role behind it and who may call it."""

    client: httpx2.AsyncClient
    role: Role
    keyrings: KeyRings

    def staff(self, *roles: str, town: str = "*", subject: str = "someone") -> dict[str, str]:
        """Return the headers of somebody with these roles, of the whole state or of a town."""
        issuer = self._issuer("issuer")
        token = issuer.issue(subject=subject, roles=list(roles), town=town)
        return {"Authorization": f"Bearer {token}"}

    def dispatcher(self) -> dict[str, str]:
        """Return the headers of the dispatcher."""
        token = self._issuer("dispatcher").issue(subject="dispatcher", roles=["service"])
        return {"Authorization": f"Bearer {token}"}

    async def post(self, path: str, body: object, **headers: str) -> httpx2.Response:
        """Post JSON."""
        return await self.client.post(path, json=body, headers=headers)

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        """Get as a manager."""
        return await self.client.get(path, params=query, headers=self.staff("manager"))

    def _issuer(self, name: str) -> Any:
        return KeyRing.load(self.keyrings.path(name)).tokens.issuer


def settings_for(bus: Bus, database: ServiceDatabase, keyrings: KeyRings) -> GeofenceSettings:
    """Return settings as a process's environment would give them."""
    return GeofenceSettings(
        environment="development",
        kafka_bootstrap=bus.bootstrap,
        bus_namespace=bus.namespace,
        topic_partitions=2,
        keyring=keyrings.path("geofence"),
        database_url=database.app_url,
        port=0,
        dispatcher_url="http://127.0.0.1:1",
        # The fewest, as each test's own replica starts them anew.
        area_processes=2,
    )


@asynccontextmanager
async def open_desk(settings: GeofenceSettings, keyrings: KeyRings) -> AsyncIterator[Desk]:
    """Run a replica and its HTTP for the length of a `with`."""
    role = await assemble("replica", settings)

    async def ready() -> bool:
        return not await role.health.ready()

    async with running(*role.parts):
        await eventually(ready)
        transport = httpx2.ASGITransport(app=role.app)  # type: ignore[arg-type]
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Desk(client, role, keyrings)
    await role.closing.aclose()
