"""Assembles the dispatcher's roles from its rooms."""

from aiohttp import ClientSession
from fastapi import FastAPI

from services.dispatcher.alerts import api as alerts_api
from services.dispatcher.alerts import timers as alerts_timers
from services.dispatcher.cap import api as cap_api
from services.dispatcher.delivery import consumers as delivery_consumers
from services.dispatcher.delivery import timers as delivery_timers
from services.dispatcher.providers.choose import open_provider
from services.dispatcher.receipts import api as receipts_api
from services.dispatcher.receipts import consumers as receipts_consumers
from services.dispatcher.receipts.letterbox import Letterbox
from services.dispatcher.recipients import consumers as recipients_consumers
from services.dispatcher.recipients import timers as recipients_timers
from services.dispatcher.reports import api as reports_api
from services.dispatcher.settings import CHANNELS, Context, DispatcherSettings
from services.dispatcher.staff import api as staff_api
from services.dispatcher.staff.page import Pager
from services.dispatcher.staff.partners import PartnerKeys
from shared.bus.kafka.bus import Bus
from shared.bus.outbox import REST, Outbox
from shared.bus.relay import Relay
from shared.clock import SystemClock
from shared.db.migrate import schema_check
from shared.db.session import open_database
from shared.security.keys import KeyRing
from shared.service import Part, Role, beat
from shared.web.app import make_app
from shared.web.auth import BearerJwt
from shared.web.idempotency import Idempotency
from shared.web.limits import Limits

SERVICE = "dispatcher"
ROLES: tuple[str, ...] = (
    "api", "contacts", "fanout", "settle", "timers", "sms", "voice", "email", "relay",
)  # fmt: skip
ROUTERS = (
    staff_api.router, alerts_api.router, cap_api.router, reports_api.router, receipts_api.router,
)  # fmt: skip
_CONSUMERS = (recipients_consumers, receipts_consumers, delivery_consumers)
_TIMERS = (alerts_timers, recipients_timers, delivery_timers)
# Every role but these lives from a handful of connections.
_POOLS = {"api": 10, "fanout": 8, "timers": 8}


async def assemble(role: str, settings: DispatcherSettings | None = None) -> Role:
    """Make a role ready to be served.

    Raises:
        ValueError: there is no such role.
    """
    if role not in ROLES:
        raise ValueError(f"the dispatcher has no role {role}")
    made = Role(service=SERVICE, name=role)
    context = await make_context(role, settings or DispatcherSettings(), made)
    if role == "api":
        app = made.app = make_application(context)
        made.port = context.settings.port
        made.closing.push_async_callback(app.state.letterbox.close)
    elif role == "relay":
        made.parts.append(
            Relay(
                service=SERVICE,
                database=context.database,
                bus=context.bus,
                lane=REST,
                on_page=context.page,
            )
        )
    else:
        made.parts += _parts(context, role, made)
    beat(made, context.bus, clock=context.clock)
    return made


async def make_context(role: str, settings: DispatcherSettings, made: Role) -> Context:
    """Open what the rooms of one role share; it closes with the role."""
    keyring = KeyRing.load(settings.keyring)
    clock = SystemClock()
    database = open_database(
        settings.database_url,
        application_name=f"{SERVICE}:{role}",
        pool_size=_POOLS.get(role, 5),
    )
    bus = Bus.of(settings, f"{SERVICE}-{role}")
    http = ClientSession()
    for close in (database.close, bus.close, http.close):
        made.closing.push_async_callback(close)
    made.health.add("database", database.answer)
    made.health.add("schema", schema_check(SERVICE, database))
    outbox = Outbox(SERVICE, signer=keyring.signer, clock=clock)
    return Context(
        settings=settings,
        database=database,
        bus=bus,
        outbox=outbox,
        keyring=keyring,
        clock=clock,
        health=made.health,
        limits=Limits(database, SERVICE),
        idempotency=Idempotency(SERVICE),
        http=http,
        page=Pager(
            database,
            outbox=outbox,
            keyring=keyring,
            clock=clock,
            channel=settings.duty_channel,
            address=settings.duty_address,
        ),
    )


def make_application(context: Context) -> FastAPI:
    """Make the HTTP application of every room."""
    app = make_app(
        title="CT Alert dispatcher",
        service=SERVICE,
        routers=ROUTERS,
        authenticators=[
            BearerJwt(context.keyring.tokens.verifier),
            PartnerKeys(context.database),
        ],
        docs=context.settings.environment == "development",
    )
    app.state.context = context
    app.state.letterbox = Letterbox(context.bus, clock=context.clock)
    return app


def _parts(context: Context, role: str, made: Role) -> list[Part]:
    if role == "timers":
        return [part for room in _TIMERS for part in room.timers(context)]
    if role not in CHANNELS:
        return [part for room in _CONSUMERS for part in room.consumers(context, role)]
    # Handing over and looking up share one provider: its connections, its pace, its breaker.
    provider = open_provider(role, context.settings, clock=context.clock)
    made.closing.push_async_callback(provider.close)
    return [
        part
        for room in (delivery_consumers, receipts_consumers)
        for part in room.consumers(context, role, provider)
    ]
