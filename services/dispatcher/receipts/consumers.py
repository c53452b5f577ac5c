"""Kafka in: receipts, settled in batches; and beside each channel's hand-over, its look-ups."""

from collections.abc import Sequence

from services.dispatcher.delivery.states import Claimed
from services.dispatcher.delivery.wording.compose import Composer
from services.dispatcher.providers.base import Message, Provider
from services.dispatcher.providers.choose import open_provider
from services.dispatcher.receipts.look_up import LookUp
from services.dispatcher.receipts.settle import settle
from services.dispatcher.settings import CHANNELS, Context
from shared.bus import message as bus
from shared.bus.message import in_transaction
from shared.bus.worker import Worker
from shared.db.session import Tx
from shared.events.receipt import ReceiptReceived
from shared.events.topics import RECEIPT_RECEIVED
from shared.service import Part

GROUP = "dispatcher.receipts"
_BATCH = 1000


def consumers(context: Context, role: str, provider: Provider | None = None) -> list[Part]:
    """Return this room's parts of a role: settling, or a channel's look-ups at its provider."""
    if role == "settle":
        return [_settling(context)]
    return [_looking_up(context, role, provider)] if role in CHANNELS and provider else []


def _settling(context: Context) -> Part:
    async def verb(tx: Tx, messages: Sequence[bus.Message]) -> None:
        receipts = [one.event for one in messages if isinstance(one.event, ReceiptReceived)]
        await settle(tx, receipts, outbox=context.outbox, page=context.page)

    return Worker(
        name="receipts",
        bus=context.bus,
        group=GROUP,
        handlers={RECEIPT_RECEIVED: in_transaction(context.database, verb)},
        verifier=context.keyring.verifier,
        on_page=context.page,
        max_batch=_BATCH,
    )


def _looking_up(context: Context, channel: str, provider: Provider) -> Part:
    composer = Composer(
        context.database,
        keyring=context.keyring,
        public_url=context.settings.public_url,
        authority=context.settings.authority_name,
    )

    async def compose(claimed: Claimed) -> Message:
        await composer.prepare([claimed])
        return composer.compose(claimed)

    return LookUp(
        channel=channel,
        database=context.database,
        provider=provider,
        compose=compose,
        sink=open_provider(channel, context.settings, clock=context.clock, exercise=True),
    )
