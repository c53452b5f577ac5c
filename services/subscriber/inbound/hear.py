"""Hears what residents text, press and click: keeps their consent and answers once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from services.subscriber.consent.history import Address
from services.subscriber.consent.lift import lift
from services.subscriber.consent.suppress import suppress
from services.subscriber.inbound import store
from services.subscriber.inbound.keyword import Meaning, read_key, read_keyword
from services.subscriber.roster.mark import Mark, mark
from services.subscriber.roster.resident import Point
from services.subscriber.settings import Keys
from shared.bus.outbox import REST, Outbox
from shared.db.session import Tx
from shared.events.inbound import InboundReceived
from shared.events.subscriber import NoticeRequested
from shared.identifiers import derive_id

# An answer that comes later than this puzzles more than it helps.
ANSWER_WITHIN = timedelta(hours=1)


async def hear(tx: Tx, event: InboundReceived, *, outbox: Outbox, keys: Keys) -> None:
    """Act on one inbound message: STOP and START change every contact point at that address.

    Only what comes later than the last change counts, so that hearing it twice is harmless.

    Raises:
        SealBroken: the words cannot be opened.
    """
    meaning = _meaning(event, keys)
    if meaning == "other":
        return
    rows = await store.points_at(
        tx,
        channel=event.channel,
        address_hash=bytes.fromhex(event.address_hash),
        hash_key_id=event.hash_key_id,
    )
    points = [Point.read(row) for row in rows]
    address = [
        Address(event.channel, bytes.fromhex(event.address_hash), event.hash_key_id),
    ]
    at, source = event.received_at, event.kind
    if meaning == "help":
        await _answer(tx, points, event, "help", outbox=outbox, keys=keys)
    elif meaning == "stop":
        await suppress(tx, address, reason="stop", at=at)
        changed = await mark(tx, points, Mark("opted_out", source, at), outbox=outbox, keys=keys)
        if changed:
            await _answer(tx, points, event, "opted_out", outbox=outbox, keys=keys)
    else:
        await lift(tx, address, at=at)
        await mark(tx, points, Mark("rejoined", source, at), outbox=outbox, keys=keys)


def _meaning(event: InboundReceived, keys: Keys) -> Meaning:
    if event.suppressed or event.kind == "unsubscribe":
        return "stop"
    words = keys.sealer.unseal(event.body_sealed, context=f"inbound:{event.inbound_id}").decode()
    return read_key(words) if event.kind == "key" else read_keyword(words)


async def _answer(
    tx: Tx,
    points: Sequence[Point],
    event: InboundReceived,
    template: Literal["opted_out", "help"],
    *,
    outbox: Outbox,
    keys: Keys,
) -> None:
    # A household hears it once; keys and clicks are answered where they were made.
    if not points or event.kind != "text":
        return
    point = points[0]
    notice_id = derive_id("inbound", event.inbound_id, template)
    notice = NoticeRequested(
        notice_id=notice_id,
        subscriber_id=point.subscriber_id,
        template=template,
        channel=event.channel,
        language=point.language,
        address_sealed=point.address_sealed,
        address_hash=event.address_hash,
        hash_key_id=event.hash_key_id,
        values_sealed=keys.sealer.seal(b"{}", context=f"notice:{notice_id}"),
        expires_at=event.received_at + ANSWER_WITHIN,
    )
    await outbox.put(tx, notice, lane=REST)
