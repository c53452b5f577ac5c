"""Marks contact points as proved, opted out, rejoined or suspended, and tells of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.subscriber.consent.history import Address, Subject
from services.subscriber.consent.lift import lift
from services.subscriber.consent.note_consent import note_consent
from services.subscriber.roster import store, store_points
from services.subscriber.roster.publish import publish
from services.subscriber.roster.resident import Point
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox
from shared.db.session import Tx

Action = Literal["verified", "opted_out", "rejoined", "suspended"]


@dataclass(frozen=True, slots=True)
class Mark:
    """What happened, how we know, and when (None is now); `detail` says why it is suspended."""

    action: Action
    source: str
    at: datetime | None = None
    detail: str = ""


async def mark(
    tx: Tx, points: Sequence[Point], what: Mark, *, outbox: Outbox, keys: Keys
) -> list[UUID]:
    """Mark contact points where it means a change and return the ids of those it changed.

    Their residents are locked first; consent history, next version and whole state follow in the
    same transaction. Nothing later is undone: a STOP told twice after a START changes nothing.
    """
    if not points:
        return []
    await store.lock(tx, [point.subscriber_id for point in points])
    changed = await store_points.move_points(
        tx,
        [point.contact_id for point in points],
        action=what.action,
        at=what.at,
        detail=what.detail,
    )
    if not changed:
        return []
    ids = [row["contact_id"] for row in changed]
    residents = [row["subscriber_id"] for row in changed]
    await note_consent(
        tx,
        [Subject(row["contact_id"], row["subscriber_id"], row["channel"]) for row in changed],
        what.action,
        source=what.source,
        at=what.at,
    )
    if what.action == "verified":
        await store.confirm_residents(tx, residents)
    if what.action in {"verified", "rejoined"}:
        addresses = [
            Address(row["channel"], bytes(row["address_hash"]), row["hash_key_id"])
            for row in changed
        ]
        await lift(tx, addresses, at=what.at)
    await publish(tx, residents, outbox=outbox, keys=keys)
    return ids
