"""Kafka in: chunks, completed runs and refusals of the geofence, and residents' cards."""

from collections.abc import Sequence

from services.dispatcher.contacts.keep_contact import keep_contact
from services.dispatcher.delivery.request import Requests, Using
from services.dispatcher.recipients.complete import complete
from services.dispatcher.recipients.fan_out import fan_out
from services.dispatcher.recipients.finish_runs import finish_runs
from services.dispatcher.recipients.hold_refused import hold_refused
from services.dispatcher.recipients.keep_run import keep_run
from services.dispatcher.settings import Context, Page
from shared.bus.message import Handler, Message
from shared.bus.worker import Worker
from shared.db.session import ALL_TOWNS, Database
from shared.events.audience import AudienceCompleted, AudienceRefused, AudienceResolved
from shared.events.topics import (
    AUDIENCE_COMPLETED,
    AUDIENCE_REFUSED,
    AUDIENCE_RESOLVED,
    CONTACT_CHANGED,
)
from shared.security.sealing import Sealer
from shared.service import Part


def chunk_handler(database: Database, requests: Requests, *, page: Page) -> Handler:
    """Return the handler of audience.resolved: a transaction a chunk, then the bus."""

    async def handle(messages: Sequence[Message]) -> None:
        for message in messages:
            if not isinstance(message.event, AudienceResolved):
                continue
            async with database.transaction(town=ALL_TOWNS) as tx:
                done = await fan_out(tx, message.event)
            await requests.publish_chunks(done.requests, done.chunks)
        await look_at_runs(database, page=page)

    return handle


def run_handler(database: Database, *, page: Page) -> Handler:
    """Return the handler of audience.completed."""

    async def handle(messages: Sequence[Message]) -> None:
        async with database.transaction(town=ALL_TOWNS) as tx:
            for message in messages:
                if isinstance(message.event, AudienceCompleted):
                    await keep_run(tx, message.event)
        await look_at_runs(database, page=page)

    return handle


def refusal_handler(database: Database, *, page: Page) -> Handler:
    """Return the handler of audience.refused: hold the alert and call a person, as one."""

    async def handle(messages: Sequence[Message]) -> None:
        for message in messages:
            if not isinstance(message.event, AudienceRefused):
                continue
            async with database.transaction(town=ALL_TOWNS) as tx:
                await hold_refused(tx, message.event, page=page)

    return handle


def card_handler(database: Database, requests: Requests, *, sealer: Sealer) -> Handler:
    """Return the handler of subscriber.contact.changed: keep the cards, then complete."""

    async def handle(messages: Sequence[Message]) -> None:
        async with database.transaction(town=ALL_TOWNS) as tx:
            taken = await keep_contact(tx, messages, sealer=sealer)
        if not taken:
            return
        async with database.transaction(town=ALL_TOWNS) as tx:
            done = await complete(tx, subscribers=taken)
        await requests.publish_chunks(done.requests, done.chunks)

    return handle


async def look_at_runs(database: Database, *, page: Page) -> None:
    """See which runs are complete, and page what they turned out to be."""
    async with database.transaction(town=ALL_TOWNS) as tx:
        await finish_runs(tx, page=page)


def consumers(context: Context, role: str) -> list[Part]:
    """Return this room's parts of a role: cards with the contacts, the rest with the fan-out."""
    if role not in ("contacts", "fanout"):
        return []
    database = context.database
    requests = Requests(context.bus, database=database, clock=context.clock)
    if role == "contacts":
        if context.keyring.sealer is None:
            raise ValueError("cards need the key that opens them")
        handlers = {
            CONTACT_CHANGED: card_handler(database, requests, sealer=context.keyring.sealer)
        }
    else:
        handlers = {
            AUDIENCE_RESOLVED: chunk_handler(database, requests, page=context.page),
            AUDIENCE_COMPLETED: run_handler(database, page=context.page),
            AUDIENCE_REFUSED: refusal_handler(database, page=context.page),
        }
    worker = Worker(
        name=f"recipients.{role}",
        bus=context.bus,
        group=f"dispatcher.{role}",
        handlers=handlers,
        verifier=context.keyring.verifier,
        on_page=context.page,
        # A chunk is thousands of people and a transaction of its own.
        max_batch=500 if role == "contacts" else 8,
        max_parallel=4,
    )
    return [Using(worker, requests)]
