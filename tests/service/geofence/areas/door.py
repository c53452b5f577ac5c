"""The doors of areas on an index and a workshop of a test's own, with few connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from services.geofence.areas.api import make_router
from services.geofence.areas.atlas import Atlas
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.index.tail import Roster
from shared.db.session import open_database
from shared.service import Role
from shared.web.app import make_app
from shared.web.auth import BearerJwt
from shared.web.limits import Limits
from tests.conftest import KeyRings
from tests.service.geofence.desk import Desk
from tests.service.geofence.world import World


@asynccontextmanager
async def open_door(
    world: World, keyrings: KeyRings, *, roster: Roster, workshop: Workshop, connections: int = 2
) -> AsyncIterator[Desk]:
    """Open previews and resolved areas behind a client, for the length of a `with`."""
    url = world.database.engine.url.render_as_string(hide_password=False)
    # As many may come on top of those that are kept.
    database = open_database(url, application_name="door", pool_size=connections // 2)
    signer = world.keys.signer
    assert signer is not None
    router = make_router(
        database=database,
        roster=roster,
        signer=signer,
        atlas=Atlas(),
        workshop=workshop,
        limits=Limits(database, "geofence"),
        previews_a_minute=10_000,
    )
    app = make_app(
        title="areas",
        service="geofence",
        routers=[router],
        authenticators=[BearerJwt(world.keys.tokens.verifier)],
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Desk(client, Role(service="geofence", name="door"), keyrings)
    await workshop.close()
    await database.close()
