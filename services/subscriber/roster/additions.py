"""Adds contact points and places to residents: sealed, hashed, a statement for all of them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from services.subscriber.roster import store, store_points
from services.subscriber.roster.resident import (
    ADDRESS,
    LABEL,
    STATUTORY_SINCE,
    NewContact,
    NewPlace,
    Point,
)
from services.subscriber.settings import Keys
from shared.db.session import Tx
from shared.identifiers import new_id


async def add_points(tx: Tx, points: Sequence[Point]) -> None:
    """Add contact points to residents who have none at these addresses."""
    if not points:
        return
    await store_points.insert_points(
        tx,
        {
            "contact_ids": [p.contact_id for p in points],
            "subscriber_ids": [p.subscriber_id for p in points],
            "channels": [p.channel for p in points],
            "sealed": [p.address_sealed for p in points],
            "hashes": [p.address_hash for p in points],
            "key_ids": [p.hash_key_id for p in points],
            "states": [p.state for p in points],
            "positions": [p.position for p in points],
            "since": [STATUTORY_SINCE if p.state == "statutory" else None for p in points],
        },
    )


async def add_places(
    tx: Tx, places: Iterable[tuple[UUID, int, NewPlace]], *, keys: Keys
) -> list[UUID]:
    """Add places, given as (resident, position, place); return their new ids."""
    rows = [(new_id(), *row) for row in places]
    if rows:
        await store.insert_places(
            tx,
            {
                "place_ids": [row[0] for row in rows],
                "subscriber_ids": [row[1] for row in rows],
                "positions": [row[2] for row in rows],
                "labels": [seal_label(row[3].label, keys) for row in rows],
                "lons": [row[3].lon for row in rows],
                "lats": [row[3].lat for row in rows],
                "uncertainties": [row[3].uncertainty_m for row in rows],
            },
        )
    return [row[0] for row in rows]


def seal_label(label: str, keys: Keys) -> str:
    """Seal what a resident calls a place."""
    return keys.sealer.seal(label.encode(), context=LABEL)


def make_point(
    contact: NewContact, subscriber_id: UUID, position: int, *, language: str, keys: Keys
) -> Point:
    """Seal and hash the address of a new contact point."""
    hashed = keys.hasher.hash(contact.address)
    return Point(
        contact_id=new_id(),
        subscriber_id=subscriber_id,
        channel=contact.channel,
        address_sealed=keys.sealer.seal(contact.address.encode(), context=ADDRESS),
        address_hash=hashed.digest,
        hash_key_id=hashed.key_id,
        state=contact.basis or "unverified",
        position=position,
        language=language,
    )
