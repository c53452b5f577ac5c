"""Kafka in: notices, and one worker a channel and priority that hands deliveries over."""

from collections.abc import Sequence

from services.dispatcher.delivery.deliver import EXERCISE, Deliverer
from services.dispatcher.delivery.request import Requests, Using, delivery_group
from services.dispatcher.delivery.send_notice import send_notice
from services.dispatcher.delivery.wording.compose import Composer
from services.dispatcher.providers.base import Provider
from services.dispatcher.providers.choose import open_provider
from services.dispatcher.settings import CHANNELS, PRIORITIES, Context
from shared.bus.message import Handler, Message
from shared.bus.worker import Worker
from shared.db.session import ALL_TOWNS, Database
from shared.events.topics import NOTICE_REQUESTED, delivery_topic
from shared.service import Part


def notice_handler(database: Database, requests: Requests) -> Handler:
    """Return the handler of notice.requested: rows first, then the bus."""

    async def handle(messages: Sequence[Message]) -> None:
        async with database.transaction(town=ALL_TOWNS) as tx:
            chunks, asked = await send_notice(tx, messages)
        await requests.publish_chunks(asked, chunks)

    return handle


def delivery_handler(deliverer: Deliverer, priority: str) -> Handler:
    """Return the handler of one channel's topic of that priority."""

    async def handle(messages: Sequence[Message]) -> None:
        await deliverer.handle(messages, priority=priority)

    return handle


def consumers(context: Context, role: str, provider: Provider | None = None) -> list[Part]:
    """Return this room's parts of a role: notices with the contacts, hand-over by channel."""
    if role == "contacts":
        return _notices(context)
    return _deliveries(context, role, provider) if role in CHANNELS else []


def _notices(context: Context) -> list[Part]:
    requests = Requests(context.bus, database=context.database, clock=context.clock)
    worker = Worker(
        name="notices",
        bus=context.bus,
        group="dispatcher.notices",
        handlers={NOTICE_REQUESTED: notice_handler(context.database, requests)},
        verifier=context.keyring.verifier,
        on_page=context.page,
    )
    return [Using(worker, requests)]


def _deliveries(context: Context, channel: str, provider: Provider | None) -> list[Part]:
    live = provider or open_provider(channel, context.settings, clock=context.clock)
    # Exercises have slots, pauses and a provider of their own, which reaches nobody (S03).
    sink = open_provider(channel, context.settings, clock=context.clock, exercise=True)
    deliver_live = _deliverer(context, channel, live)
    deliver_exercise = _deliverer(context, channel, sink, exercise=True)
    return [
        _worker(
            context, channel, priority,
            deliver_exercise if priority == EXERCISE else deliver_live,
        )
        for priority in PRIORITIES
    ]  # fmt: skip


def _deliverer(
    context: Context, channel: str, provider: Provider, *, exercise: bool = False
) -> Deliverer:
    return Deliverer(
        database=context.database,
        provider=provider,
        composer=Composer(
            context.database,
            keyring=context.keyring,
            public_url=context.settings.public_url,
            authority=context.settings.authority_name,
        ),
        outbox=context.outbox,
        clock=context.clock,
        page=context.page,
        slots=context.settings.slots(channel),
        exercise=exercise,
    )


def _worker(context: Context, channel: str, priority: str, deliverer: Deliverer) -> Part:
    worker = Worker(
        name=f"{channel}.{priority}",
        bus=context.bus,
        group=delivery_group(channel, priority),
        handlers={delivery_topic(channel, priority): delivery_handler(deliverer, priority)},
        verifier=context.keyring.verifier,
        on_page=context.page,
        # A batch is claimed before its offsets commit: no more than can soon be claimed.
        max_batch=context.settings.slots(channel) * 4,
        max_parallel=2,
        stall_s=120.0,
    )
    return Using(worker, deliverer)
