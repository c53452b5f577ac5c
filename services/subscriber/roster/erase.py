"""Erases a resident: nothing stays but that they were erased, and whom not to write to."""

from uuid import UUID

from services.subscriber.consent.forget_consent import forget_consent
from services.subscriber.consent.history import Address
from services.subscriber.consent.suppress import suppress
from services.subscriber.roster import store, store_points
from services.subscriber.roster.card import ROSTER_TOPICS, erased_state
from shared.bus.outbox import ROSTERS, Outbox
from shared.db.session import Tx


async def erase(tx: Tx, subscriber_id: UUID, *, outbox: Outbox) -> int | None:
    """Erase a resident and return the version of their end, or None if there is no such person.

    The other services hear `erased` at that version, then a null record (FLOWS §2).
    """
    if not await store.lock(tx, [subscriber_id]):
        return None
    [row] = await store.raise_versions(tx, [subscriber_id])
    version = int(row["version"])
    await suppress(tx, await _left_alone(tx, subscriber_id), reason="left")
    await store.delete_resident(tx, subscriber_id)
    await forget_consent(tx, [subscriber_id])
    await store.insert_erased(tx, subscriber_id, version)
    await outbox.put(tx, *erased_state(subscriber_id, version), lane=ROSTERS)
    for topic in ROSTER_TOPICS:
        await outbox.put_tombstone(tx, topic, str(subscriber_id))
    return version


async def _left_alone(tx: Tx, subscriber_id: UUID) -> list[Address]:
    # An address that was only ever claimed is not the leaver's to silence.
    return [
        Address(row["channel"], bytes(row["address_hash"]), row["hash_key_id"])
        for row in await store_points.read_points(tx, [subscriber_id])
        if row["state"] != "unverified" or row["opted_out_at"] is not None
    ]
