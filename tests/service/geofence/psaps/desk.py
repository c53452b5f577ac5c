"""The directory of 9-1-1 centres behind a client, with boundaries drawn by hand."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx2
import shapely
from aiohttp import ClientSession
from fastapi import FastAPI
from shapely.geometry.base import BaseGeometry

from services.geofence.layers.import_layer import import_layer
from services.geofence.layers.kinds import Feature, Kind
from services.geofence.partners.asked_keys import AskedKeys
from services.geofence.psaps.api import make_routers
from shared.db.session import Database, open_database
from shared.security.keys import KeyRing
from shared.web.app import make_app
from shared.web.auth import BearerJwt
from shared.web.limits import Limits
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ANDOVER, ANSONIA, ASHFORD = "0901301080", "0900901220", "0901501430"
TOWNS = {
    ANDOVER: shapely.box(-72.8, 41.5, -72.7, 41.6),
    ANSONIA: shapely.box(-72.7, 41.5, -72.6, 41.6),
    ASHFORD: shapely.box(-72.6, 41.5, -72.5, 41.6),
}
IN_ANDOVER, IN_ANSONIA, IN_ASHFORD = (-72.75, 41.55), (-72.65, 41.55), (-72.55, 41.55)
# Of the dispatcher, and of keys that are nobody's.
PATIENCE_S, REFUSED_A_MINUTE = 3.0, 20
LONG_AGO = "2020-01-01T05:00:00Z"


@dataclass
class StillClock:
    """A clock that tests set."""

    moment: datetime = NOW

    def now(self) -> datetime:
        """Return the moment it was set to."""
        return self.moment


@dataclass
class Desk:
    """A client of the directory, its database, and the clock it goes by."""

    client: httpx2.AsyncClient
    database: Database
    clock: StillClock
    keyrings: KeyRings
    admin_url: str
    app: FastAPI

    def calling_from(self, address: str) -> httpx2.AsyncClient:
        """Return a client at another address."""
        transport = httpx2.ASGITransport(app=self.app, client=(address, 40_000))
        return httpx2.AsyncClient(transport=transport, base_url="http://test")

    def staff(self, *roles: str, town: str = "*", subject: str = "ada") -> dict[str, str]:
        """Return the headers of somebody with these roles."""
        issuer = KeyRing.load(self.keyrings.path("issuer")).tokens.issuer
        assert issuer is not None
        token = issuer.issue(subject=subject, roles=list(roles), town=town)
        return {"Authorization": f"Bearer {token}"}

    async def post(self, path: str, body: object, **headers: str) -> httpx2.Response:
        """Post JSON as an admin of the whole state unless said."""
        return await self.client.post(path, json=body, headers=headers or self.staff("admin"))

    async def ok(self, path: str, body: object, **headers: str) -> Any:
        """Post JSON that must be taken; return the answer."""
        answer = await self.post(path, body, **headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def ask(self, path: str, **query: Any) -> httpx2.Response:
        """Get as a viewer."""
        return await self.client.get(path, params=query, headers=self.staff("viewer"))

    async def get(self, path: str, **query: Any) -> Any:
        """Get as a viewer what must be there; return the answer."""
        answer = await self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def at(self, spot: tuple[float, float], **query: Any) -> Any:
        """Ask for the centres of a point."""
        return await self.get("/v1/psaps", lon=spot[0], lat=spot[1], **query)

    async def draw(
        self, kind: Kind, shapes: Mapping[str, BaseGeometry], *, since: str | None = "2020-01-01"
    ) -> None:
        """Import a layer that holds from a date on, or from now on."""
        features = [Feature(code, f"Zone {code}", shape) for code, shape in shapes.items()]
        data = b"".join(code.encode() + shapely.to_wkb(shape) for code, shape in shapes.items())
        async with self.database.transaction() as tx:
            day = date.fromisoformat(since) if since else None
            await import_layer(tx, data, features, kind=kind, valid_from=day)

    async def open_three(self) -> None:
        """Draw three towns and their centres A, B and C, and put these in the directory."""
        await self.draw("town", TOWNS)
        await self.draw("psap", dict(zip("ABC", TOWNS.values(), strict=True)))
        for code, town in zip("ABC", TOWNS, strict=True):
            await self.ok("/v1/psaps", {**record(code), "code": code, "towns": [town]})


def record(code: str, **changes: Any) -> dict[str, Any]:
    """Make what is said of a centre, with numbers of its own."""
    digit = "ABCDEFGH".index(code)
    return {
        "valid_from": LONG_AGO,
        "name": f"Centre {code}",
        "fallout_numbers": [f"+1860555011{digit}"],
        "emergency_numbers": [f"+1860555012{digit}"],
        "police": {"kind": "local_police", "label": "Police", "number": f"+1860555013{digit}"},
        "interpreter": {"number": "+18005550199", "only_for_9_1_1_calls": True},
        **changes,
    }


@asynccontextmanager
async def open_psaps(
    database: ServiceDatabase, keyrings: KeyRings, *, dispatcher_url: str = "http://127.0.0.1:1"
) -> AsyncIterator[Desk]:
    """Serve the directory on a database for the length of a `with`."""
    opened = open_database(database.app_url, application_name="test")
    clock, ring = StillClock(), keyrings.ring("geofence")
    async with ClientSession() as http:
        partners = AskedKeys(
            http,
            url=dispatcher_url,
            issuer=ring.tokens.issuer,
            timeout_s=PATIENCE_S,
            limits=Limits(opened, "geofence"),
            refused_a_minute=REFUSED_A_MINUTE,
        )
        app: FastAPI = make_app(
            title="test",
            service="geofence",
            routers=make_routers(database=opened, clock=clock, ring_through_days=365),
            authenticators=[BearerJwt(ring.tokens.verifier), partners],
        )
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Desk(client, opened, clock, keyrings, database.admin_url, app)
    await opened.close()
