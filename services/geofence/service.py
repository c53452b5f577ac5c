"""Assembles the geofence's roles from its rooms."""

import asyncio

from aiohttp import ClientSession

from services.geofence.areas import api as areas_api
from services.geofence.areas.atlas import Atlas
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.audience.consumers import (
    AUDIENCE_GROUP,
    PLACES_GROUP,
    audience_handlers,
    places_handlers,
    publisher,
)
from services.geofence.audience.footing import Footing
from services.geofence.audience.keeper import Keeper
from services.geofence.audience.leavers.timers import ForgettingLeft
from services.geofence.audience.resolve import Resolver
from services.geofence.index.snapshots.keeper import SnapshotKeeper
from services.geofence.index.tail import Roster, RosterTail
from services.geofence.layers import api as layers_api
from services.geofence.partners.asked_keys import AskedKeys
from services.geofence.psaps import api as psaps_api
from services.geofence.selections import api as selections_api
from services.geofence.selections.timers import Forgetting
from services.geofence.settings import GeofenceSettings
from shared.bus.kafka.bus import Bus
from shared.bus.outbox import REST, Outbox
from shared.bus.relay import Relay
from shared.bus.worker import Worker
from shared.clock import SystemClock
from shared.db.migrate import schema_check
from shared.db.session import Database, open_database
from shared.security.keys import KeyRing
from shared.security.signing import Signer
from shared.service import Part, Role, beat
from shared.web.app import make_app
from shared.web.auth import BearerJwt
from shared.web.idempotency import Idempotency
from shared.web.limits import Limits

SERVICE = "geofence"
ROLES: tuple[str, ...] = ("replica", "places", "relay")


class OnceCurrent:
    """Starts a part when the index has caught up: an old one would tell who has moved away."""

    def __init__(self, part: Part, roster: Roster) -> None:
        self.name = part.name
        self._part = part
        self._roster = roster

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for the index or the end, whichever comes first, then run the part."""
        waits = [asyncio.create_task(one.wait()) for one in (self._roster.current, stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        if not stop.is_set():
            await self._part.run(stop)


async def assemble(role: str, settings: GeofenceSettings | None = None) -> Role:
    """Make a role ready to be served.

    Raises:
        ValueError: there is no such role.
    """
    if role not in ROLES:
        raise ValueError(f"the geofence has no role {role}")
    settings = settings or GeofenceSettings()
    keys = KeyRing.load(settings.keyring)
    signer = keys.signer
    if signer is None:
        raise ValueError("the geofence's keyring holds no signing key")
    database = open_database(settings.database_url, application_name=f"{SERVICE}:{role}")
    bus = Bus.of(settings, f"{SERVICE}-{role}")
    made = Role(service=SERVICE, name=role)
    made.closing.push_async_callback(database.close)
    made.closing.push_async_callback(bus.close)
    made.health.add("database", database.answer)
    made.health.add("schema", schema_check(SERVICE, database))
    if role == "replica":
        _replica(made, settings, keys, signer, database, bus)
    elif role == "places":
        _places(made, keys, signer, database, bus)
    else:
        made.parts += [
            Relay(service=SERVICE, database=database, bus=bus, lane=REST),
            Forgetting(database=database, idempotency=Idempotency(SERVICE), service=SERVICE),
            ForgettingLeft(database=database),
        ]
    beat(made, bus, clock=SystemClock())
    return made


def _replica(
    made: Role,
    settings: GeofenceSettings,
    keys: KeyRing,
    signer: Signer,
    database: Database,
    bus: Bus,
) -> None:
    roster = Roster()
    producer = bus.producer()
    made.closing.push_async_callback(producer.close)
    # Of its own, so that a warning never waits for the connection of somebody who draws.
    audience = open_database(
        settings.database_url, application_name=f"{SERVICE}:{made.name}:audience"
    )
    made.closing.push_async_callback(audience.close)
    resolver = Resolver(
        database=audience,
        bus=bus,
        roster=roster,
        publish=publisher(producer=producer, signer=signer, clock=SystemClock()),
    )
    worker = Worker(
        name="audience",
        bus=bus,
        group=AUDIENCE_GROUP,
        handlers=audience_handlers(database=audience, resolver=resolver),
        verifier=keys.verifier,
        max_batch=1,
    )
    made.parts += [
        RosterTail(
            bus=bus,
            database=audience,
            verifier=keys.verifier,
            roster=roster,
            snapshots=SnapshotKeeper(settings.snapshot_dir, clock=SystemClock())
            if settings.snapshot_dir
            else None,
        ),
        OnceCurrent(worker, roster),
        resolver,
    ]
    atlas, limits = Atlas(), Limits(database, SERVICE)
    workshop = Workshop(hands=settings.area_processes)
    made.parts.append(workshop)
    made.closing.push_async_callback(workshop.close)
    http = ClientSession()
    made.closing.push_async_callback(http.close)
    made.app = make_app(
        title="CT Alert geofence",
        service=SERVICE,
        routers=[
            layers_api.make_router(database=database),
            areas_api.make_router(
                database=database,
                roster=roster,
                signer=signer,
                atlas=atlas,
                workshop=workshop,
                limits=limits,
                previews_a_minute=settings.previews_a_minute,
            ),
            *selections_api.make_routers(
                database=database,
                atlas=atlas,
                workshop=workshop,
                limits=limits,
                idempotency=Idempotency(SERVICE),
            ),
            *psaps_api.make_routers(
                database=database,
                clock=SystemClock(),
                ring_through_days=settings.ring_through_days,
            ),
        ],
        authenticators=[
            BearerJwt(keys.tokens.verifier),
            AskedKeys(
                http,
                url=settings.dispatcher_url,
                issuer=keys.tokens.issuer,
                timeout_s=settings.dispatcher_timeout_s,
                limits=limits,
                refused_a_minute=settings.refused_keys_a_minute,
            ),
        ],
        docs=settings.environment == "development",
    )
    made.port = settings.port
    made.health.add("index", roster.check)
    made.health.add("audience", worker.check)


def _places(made: Role, keys: KeyRing, signer: Signer, database: Database, bus: Bus) -> None:
    keeper = Keeper(
        database=database,
        outbox=Outbox(SERVICE, signer=signer, clock=SystemClock()),
        footing=Footing(bus, verifier=keys.verifier),
    )
    worker = Worker(
        name="places",
        bus=bus,
        group=PLACES_GROUP,
        handlers=places_handlers(keeper),
        verifier=keys.verifier,
    )
    made.parts += [worker, keeper]
    made.health.add("places", worker.check)
