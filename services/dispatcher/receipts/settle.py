"""Settles receipts in batches: each (provider, SID, status) counts once and only raises states."""

from collections.abc import Awaitable, Callable, Sequence, Set
from typing import TypeAlias

from services.dispatcher.contacts.report_contact import report_contact
from services.dispatcher.delivery.raise_states import raise_states
from services.dispatcher.delivery.states import StateUpdate
from services.dispatcher.receipts import store
from services.dispatcher.receipts.statuses import FAILURES, Meaning, meaning_of
from services.dispatcher.receipts.store import Delivery, Receipt
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.events.receipt import ReceiptReceived
from shared.identifiers import derive_id
from shared.watch.metrics import Counter

settled = Counter("ctalert_receipts_settled_total", "Receipts settled", ["channel", "effect"])
unmapped = Counter(
    "ctalert_receipts_unmapped_total", "Statuses and codes nobody has mapped", ["channel", "what"]
)

Page = Callable[[str], Awaitable[None]]
# Provider, SID and status: what makes two receipts the same.
Key: TypeAlias = tuple[str, str, str]


async def settle(
    tx: Tx, receipts: Sequence[ReceiptReceived], *, outbox: Outbox, page: Page
) -> None:
    """Move deliveries to what their receipts say, keep every receipt as evidence, tell others.

    The same receipt twice, one that comes late (also after its message has failed), and one of a
    delivery nobody knows change nothing. What a provider says of an address goes to the
    subscriber service; a STOP that it reports suppresses the address here and now.
    """
    # Locked before the evidence is read, so that whoever settles beside us has written theirs.
    known = await store.lock_deliveries(tx, {one.delivery_id for one in receipts})
    told = await store.known_receipts(tx, {(one.provider, one.sid) for one in receipts})
    fresh = _fresh(receipts, told)
    if not fresh:
        return
    closed = _closed(fresh, told)
    judged = [(one, _judge(one, known.get(one.delivery_id))) for one in fresh]
    moving = [(one, meaning) for one, meaning in judged if meaning is not None]
    effects = await raise_states(
        tx, [_update(one, meaning, closed=_key(one) in closed) for one, meaning in moving]
    )
    effect_of = {_key(one): effect for (one, _), effect in zip(moving, effects, strict=True)}
    rows = []
    for one, meaning in judged:
        delivery = known.get(one.delivery_id)
        # A status nobody knows is evidence too, as long as the delivery is ours.
        effect = effect_of.get(_key(one), "evidence" if delivery else "unknown")
        settled.labels(one.channel, effect).inc()
        rows.append(
            Receipt(
                provider=one.provider,
                sid=one.sid,
                status=one.status,
                delivery_id=one.delivery_id,
                code=one.error_code,
                received_at=one.received_at,
                effect=effect,
            )
        )
        if meaning is not None and delivery is not None:
            await _tell(tx, one, meaning, delivery, outbox=outbox)
    await store.keep_receipts(tx, rows)
    await _page(judged, page)


def _fresh(receipts: Sequence[ReceiptReceived], told: Set[Key]) -> list[ReceiptReceived]:
    """Leave out what was settled before, or comes twice in this batch."""
    first: dict[Key, ReceiptReceived] = {}
    for one in receipts:
        first.setdefault(_key(one), one)
    return [one for key, one in first.items() if key not in told]


def _closed(fresh: Sequence[ReceiptReceived], told: Set[Key]) -> set[Key]:
    """Return the receipts whose message had failed before, also earlier in this batch."""
    failed = {(provider, sid) for provider, sid, status in told if status in FAILURES}
    late = set[Key]()
    for one in fresh:
        message = one.provider, one.sid
        if message in failed:
            late.add(_key(one))
        elif one.status in FAILURES:
            failed.add(message)
    return late


def _judge(one: ReceiptReceived, delivery: Delivery | None) -> Meaning | None:
    meaning = meaning_of(
        one.channel,
        one.status,
        error_code=one.error_code,
        answered_by=one.answered_by,
        tries=lambda: delivery.tries if delivery else 1,
    )
    if meaning is None:
        unmapped.labels(one.channel, "status").inc()
    elif meaning.unmapped:
        unmapped.labels(one.channel, "code").inc()
    return meaning


def _update(one: ReceiptReceived, meaning: Meaning, *, closed: bool) -> StateUpdate:
    return StateUpdate(
        delivery_id=one.delivery_id,
        state=meaning.state,
        provider=one.provider,
        sid=one.sid,
        code=meaning.code,
        reason=meaning.reason,
        epoch=one.epoch,
        retry_in_s=meaning.retry_in_s,
        closed=closed,
    )


async def _tell(
    tx: Tx, one: ReceiptReceived, meaning: Meaning, delivery: Delivery, *, outbox: Outbox
) -> None:
    if meaning.report is None:
        return
    await report_contact(
        tx,
        report_id=derive_id("receipt", one.provider, one.sid, one.status),
        channel=one.channel,
        address_hash=delivery.address_hash,
        hash_key_id=delivery.hash_key_id,
        reason=meaning.report,
        code=meaning.code or one.status,
        at=one.received_at,
        outbox=outbox,
    )


async def _page(judged: Sequence[tuple[ReceiptReceived, Meaning | None]], page: Page) -> None:
    codes = {
        (one.channel, meaning.code)
        for one, meaning in judged
        if meaning is not None and meaning.page
    }
    for channel, code in sorted((channel, code or "none") for channel, code in codes):
        await page(f"receipts of {channel} report code {code}, which concerns our sender")


def _key(one: ReceiptReceived) -> Key:
    return one.provider, one.sid, one.status
