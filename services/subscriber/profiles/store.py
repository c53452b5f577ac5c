"""Every SQL statement of this room: it only reads, what the room roster owns."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, fetch, fetch_one

_POINT = """p.contact_id, p.subscriber_id, p.channel, p.address_sealed, p.address_hash,
    p.hash_key_id, p.state, p.position, r.language
    FROM subscriber_contact_point p JOIN subscriber_resident r USING (subscriber_id)"""


async def read_resident(tx: Tx, subscriber_id: UUID) -> RowMapping | None:
    """Return one resident."""
    return await fetch_one(
        tx,
        """SELECT version, language, preferences, created_at FROM subscriber_resident
           WHERE subscriber_id = :id""",
        id=subscriber_id,
    )


async def read_points(tx: Tx, subscriber_id: UUID) -> Sequence[RowMapping]:
    """Return a resident's contact points in their order."""
    return await fetch(
        tx,
        """SELECT contact_id, channel, address_sealed, state, position, opted_out_at, suspended_at,
                  suspended_for
           FROM subscriber_contact_point WHERE subscriber_id = :id ORDER BY position, contact_id""",
        id=subscriber_id,
    )


async def read_places(tx: Tx, subscriber_id: UUID) -> Sequence[RowMapping]:
    """Return a resident's places in their order."""
    return await fetch(
        tx,
        """SELECT place_id, label_sealed, lon, lat, uncertainty_m FROM subscriber_place
           WHERE subscriber_id = :id ORDER BY position, place_id""",
        id=subscriber_id,
    )


async def find_point(tx: Tx, subscriber_id: UUID, contact: UUID | int) -> RowMapping | None:
    """Return one contact point of a resident by its id or its number in the order."""
    by_id = isinstance(contact, UUID)
    return await fetch_one(
        tx,
        f"""SELECT {_POINT} WHERE p.subscriber_id = :subscriber_id
              AND (p.contact_id = CAST(:contact_id AS uuid)
                   OR p.position = CAST(:position AS smallint))""",
        subscriber_id=subscriber_id,
        contact_id=contact if by_id else None,
        position=None if by_id else contact,
    )


async def phones_like(tx: Tx, subscriber_id: UUID, contact_id: UUID) -> Sequence[RowMapping]:
    """Return a resident's contact points, for texts and calls, at the number of one of them."""
    return await fetch(
        tx,
        f"""SELECT {_POINT} WHERE p.subscriber_id = :subscriber_id
              AND p.channel IN ('sms', 'voice')
              AND p.address_hash = (SELECT address_hash FROM subscriber_contact_point
                                    WHERE contact_id = :contact_id)
            ORDER BY p.position""",
        subscriber_id=subscriber_id,
        contact_id=contact_id,
    )
