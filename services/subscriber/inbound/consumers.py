"""Kafka in: hands inbound messages and reports to their verbs, a batch in one transaction."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.subscriber.inbound.hear import hear
from services.subscriber.inbound.note_report import note_report
from services.subscriber.settings import Context
from shared.bus.message import Handler, Message, in_transaction
from shared.db.session import Tx
from shared.events.inbound import ContactReported, InboundReceived
from shared.events.topics import CONTACT_REPORTED, INBOUND_RECEIVED, Topic

GROUP = "subscriber.inbound"


def consumers(context: Context) -> Mapping[Topic, Handler]:
    """Return what this room does with each topic it reads."""
    outbox, keys = context.outbox, context.keys

    async def heard(tx: Tx, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message.event, InboundReceived):
                await hear(tx, message.event, outbox=outbox, keys=keys)

    async def noted(tx: Tx, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message.event, ContactReported):
                await note_report(tx, message.event, outbox=outbox, keys=keys)

    verbs: dict[Topic, Callable[[Tx, Sequence[Message]], Awaitable[None]]] = {
        INBOUND_RECEIVED: heard,
        CONTACT_REPORTED: noted,
    }
    return {topic: in_transaction(context.database, verb) for topic, verb in verbs.items()}
