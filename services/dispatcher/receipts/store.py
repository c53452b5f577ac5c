"""Every SQL statement of the receipts room: evidence, inbound messages, and reads of deliveries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.db.session import Tx, execute, fetch, fetch_value

_KNOWN = """
SELECT r.provider, r.sid, r.status FROM dispatcher_receipt AS r
JOIN unnest(CAST(:providers AS text[]), CAST(:sids AS text[])) AS g(provider, sid)
    USING (provider, sid)
"""

_KEEP = """
INSERT INTO dispatcher_receipt (provider, sid, status, delivery_id, code, received_at, effect)
SELECT * FROM unnest(
    CAST(:providers AS text[]), CAST(:sids AS text[]), CAST(:statuses AS text[]),
    CAST(:deliveries AS uuid[]), CAST(:codes AS text[]), CAST(:times AS timestamptz[]),
    CAST(:effects AS text[]))
ON CONFLICT (provider, sid, status) DO NOTHING
"""

_DELIVERIES = """
SELECT delivery_id, channel, address_hash, hash_key_id,
       attempts + CASE WHEN state = 'sending' THEN 1 ELSE 0 END AS tries
FROM dispatcher_delivery WHERE delivery_id = ANY(CAST(:ids AS uuid[]))
"""
_LOCK_DELIVERIES = f"{_DELIVERIES}ORDER BY delivery_id FOR UPDATE"

_KEEP_INBOUND = """
INSERT INTO dispatcher_inbound (inbound_id, channel, address_hash, received_at, meaning)
VALUES (:inbound_id, :channel, :address_hash, :received_at, :meaning)
ON CONFLICT (inbound_id) DO NOTHING
"""

# A message bound to another delivery, or to an earlier attempt of this one, answers for nothing.
_BOUND = """
SELECT EXISTS (SELECT FROM dispatcher_delivery WHERE sid = :sid AND delivery_id <> :delivery_id)
    OR EXISTS (SELECT FROM dispatcher_receipt
               WHERE provider = :provider AND sid = :sid AND delivery_id <> :delivery_id)
    OR EXISTS (SELECT FROM dispatcher_attempt
               WHERE delivery_id = :delivery_id AND epoch <> :epoch AND sid = :sid)
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One row of evidence: which status a provider reported of which message, and its effect."""

    provider: str
    sid: str
    status: str
    delivery_id: UUID
    code: str | None
    received_at: datetime
    effect: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What receipts need to know of a delivery; `tries` counts the attempt under way."""

    delivery_id: UUID
    channel: str
    address_hash: bytes
    hash_key_id: str
    tries: int


async def known_receipts(
    tx: Tx, messages: Collection[tuple[str, str]]
) -> set[tuple[str, str, str]]:
    """Return every (provider, sid, status) settled before of these messages."""
    ordered = sorted(messages)
    rows = await fetch(
        tx,
        _KNOWN,
        providers=[provider for provider, _ in ordered],
        sids=[sid for _, sid in ordered],
    )
    return {(row["provider"], row["sid"], row["status"]) for row in rows}


async def keep_receipts(tx: Tx, receipts: Sequence[Receipt]) -> None:
    """Write evidence; what is known stays as it is."""
    ordered = sorted(receipts, key=lambda one: (one.provider, one.sid, one.status))
    await execute(
        tx,
        _KEEP,
        providers=[one.provider for one in ordered],
        sids=[one.sid for one in ordered],
        statuses=[one.status for one in ordered],
        deliveries=[one.delivery_id for one in ordered],
        codes=[one.code for one in ordered],
        times=[one.received_at for one in ordered],
        effects=[one.effect for one in ordered],
    )


async def read_deliveries(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Delivery]:
    """Return the deliveries among these ids that exist."""
    rows = await fetch(tx, _DELIVERIES, ids=list(ids))
    return {row["delivery_id"]: Delivery(**row) for row in rows}


async def lock_deliveries(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Delivery]:
    """Lock the deliveries among these ids that exist, in their order, and return them."""
    rows = await fetch(tx, _LOCK_DELIVERIES, ids=list(ids))
    return {row["delivery_id"]: Delivery(**row) for row in rows}


async def keep_inbound(
    tx: Tx,
    *,
    inbound_id: str,
    channel: str,
    address_hash: bytes,
    received_at: datetime,
    meaning: str,
) -> bool:
    """Write that a message came in; False when it had come before."""
    return bool(
        await execute(
            tx,
            _KEEP_INBOUND,
            inbound_id=inbound_id,
            channel=channel,
            address_hash=address_hash,
            received_at=received_at,
            meaning=meaning,
        )
    )


async def is_bound(tx: Tx, *, provider: str, sid: str, delivery_id: UUID, epoch: int) -> bool:
    """Say whether a provider's message already answers for something else."""
    return bool(
        await fetch_value(
            tx, _BOUND, provider=provider, sid=sid, delivery_id=delivery_id, epoch=epoch
        )
    )
