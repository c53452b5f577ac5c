"""Takes what residents text, press and click: a STOP holds from this transaction on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.dispatcher.contacts.suppress import suppress
from services.dispatcher.receipts import store
from services.dispatcher.receipts.words import Wish
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.events.inbound import InboundReceived
from shared.security.sealing import AddressHash, Sealer
from shared.watch.metrics import Counter

heard = Counter("ctalert_inbound_total", "What residents told us", ["channel", "wish"])


@dataclass(frozen=True, slots=True)
class Heard:
    """One message from a resident; `hashes` are its address under every key, newest first."""

    inbound_id: str
    channel: Literal["sms", "voice", "email"]
    kind: Literal["text", "key", "unsubscribe"]
    hashes: tuple[AddressHash, ...]
    body: str
    wish: Wish
    received_at: datetime


async def inbound(tx: Tx, message: Heard, *, outbox: Outbox, sealer: Sealer) -> bool:
    """Suppress the address of a STOP and tell the subscriber service; False for a repeat.

    Anybody's STOP counts, also that of a number nobody has confirmed: a code may have reached a
    stranger. Nothing is suppressed on another channel.
    """
    newest = message.hashes[0]
    new = await store.keep_inbound(
        tx,
        inbound_id=message.inbound_id,
        channel=message.channel,
        address_hash=newest.digest,
        received_at=message.received_at,
        meaning=message.wish,
    )
    if not new:
        return False
    heard.labels(message.channel, message.wish).inc()
    if message.wish == "stop":
        # Rows made under an older key carry the older hash.
        for hashed in message.hashes:
            await suppress(
                tx,
                channel=message.channel,
                address_hash=hashed.digest,
                hash_key_id=hashed.key_id,
                reason="opted_out",
                at=message.received_at,
            )
    await outbox.put(
        tx,
        InboundReceived(
            inbound_id=message.inbound_id,
            channel=message.channel,
            kind=message.kind,
            address_hash=newest.digest.hex(),
            hash_key_id=newest.key_id,
            body_sealed=sealer.seal(message.body.encode(), context=f"inbound:{message.inbound_id}"),
            received_at=message.received_at,
            suppressed=message.wish == "stop",
        ),
    )
    return True
