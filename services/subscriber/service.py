"""Assembles the subscriber service's roles, and what its command-line work stands on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from services.subscriber.codes.manage_link import ResidentLinks
from services.subscriber.codes.timers import timers
from services.subscriber.inbound.consumers import GROUP, consumers
from services.subscriber.profiles import api as profiles_api
from services.subscriber.roster.replay import Replayed, replay
from services.subscriber.settings import Context, Keys, SubscriberSettings
from shared.bus.kafka.bus import Bus
from shared.bus.outbox import REST, ROSTERS, Outbox
from shared.bus.relay import Relay
from shared.bus.worker import Worker
from shared.clock import SystemClock
from shared.db.migrate import schema_check
from shared.db.session import Database, open_database
from shared.security.keys import KeyRing
from shared.service import Role, beat
from shared.web.app import make_app
from shared.web.idempotency import Idempotency
from shared.web.limits import Limits

SERVICE = "subscriber"
ROLES: tuple[str, ...] = ("api", "worker", "relay")


async def assemble(role: str, settings: SubscriberSettings | None = None) -> Role:
    """Make a role ready to be served.

    Raises:
        ValueError: there is no such role.
        KeyRingInvalid: the keyring lacks a key that residents' data need.
    """
    if role not in ROLES:
        raise ValueError(f"the subscriber service has no role {role}")
    settings = settings or SubscriberSettings()
    ring = KeyRing.load(settings.keyring)
    database = open_database(settings.database_url, application_name=f"{SERVICE}:{role}")
    made = Role(service=SERVICE, name=role)
    made.closing.push_async_callback(database.close)
    made.health.add("database", database.answer)
    made.health.add("schema", schema_check(SERVICE, database))
    bus = Bus.of(settings, f"{SERVICE}-{role}")
    made.closing.push_async_callback(bus.close)
    if role == "relay":
        for lane in (ROSTERS, REST):
            made.parts.append(Relay(service=SERVICE, database=database, bus=bus, lane=lane))
    else:
        # Counters have connections of their own: a request counts while it holds a transaction.
        counting = open_database(
            settings.database_url, application_name=f"{SERVICE}:{role}:limits", pool_size=2
        )
        made.closing.push_async_callback(counting.close)
        context = make_context(settings, ring, database=database, counting=counting)
        if role == "api":
            made.app, made.port = make_app_of(context), settings.port
        else:
            _work(made, context, ring, bus)
    beat(made, bus, clock=SystemClock())
    return made


def make_context(
    settings: SubscriberSettings, ring: KeyRing, *, database: Database, counting: Database
) -> Context:
    """Make what the rooms' doors receive; `counting` is where the rate limits count."""
    return Context(
        settings=settings,
        database=database,
        outbox=Outbox(SERVICE, signer=ring.signer, clock=SystemClock()),
        keys=Keys.of(ring),
        limits=Limits(counting, SERVICE),
        idempotency=Idempotency(SERVICE),
    )


@dataclass(frozen=True, slots=True)
class BackOffice:
    """What imports and replays stand on."""

    database: Database
    outbox: Outbox
    keys: Keys


@asynccontextmanager
async def open_back_office(settings: SubscriberSettings | None = None) -> AsyncIterator[BackOffice]:
    """Open what imports and replays stand on, without any role running."""
    settings = settings or SubscriberSettings()
    ring = KeyRing.load(settings.keyring)
    database = open_database(settings.database_url, application_name=f"{SERVICE}:back-office")
    try:
        outbox = Outbox(SERVICE, signer=ring.signer, clock=SystemClock())
        yield BackOffice(database, outbox, Keys.of(ring))
    finally:
        await database.close()


async def replay_roster(settings: SubscriberSettings | None = None) -> int:
    """Have everybody, the erased ones too, told of again; return how many residents."""
    async with open_back_office(settings) as office:
        so_far = Replayed()
        while not so_far.done:
            async with office.database.transaction() as tx:
                so_far = await replay(tx, so_far, outbox=office.outbox, keys=office.keys)
    return so_far.told


def make_app_of(context: Context) -> FastAPI:
    """Make the HTTP application of the api role."""
    app = make_app(
        title="CT Alert subscribers",
        service=SERVICE,
        routers=[profiles_api.router],
        authenticators=[ResidentLinks(context.keys.links)],
        docs=context.settings.environment == "development",
    )
    app.state.context = context
    return app


def _work(made: Role, context: Context, ring: KeyRing, bus: Bus) -> None:
    worker = Worker(
        name="inbound",
        bus=bus,
        group=GROUP,
        handlers=consumers(context),
        verifier=ring.verifier,
    )
    made.parts += [worker, *timers(context)]
    made.health.add("inbound", worker.check)
