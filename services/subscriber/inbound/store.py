"""Every SQL statement of this room: it only reads, what the room roster owns."""

from collections.abc import Sequence

from sqlalchemy import RowMapping

from shared.db.session import Tx, fetch


async def points_at(
    tx: Tx, *, channel: str, address_hash: bytes, hash_key_id: str
) -> Sequence[RowMapping]:
    """Return every resident's contact point at an address: a household shares its number."""
    return await fetch(
        tx,
        """SELECT p.contact_id, p.subscriber_id, p.channel, p.address_sealed, p.address_hash,
                  p.hash_key_id, p.state, p.position, r.language
           FROM subscriber_contact_point p JOIN subscriber_resident r USING (subscriber_id)
           WHERE p.address_hash = :address_hash AND p.hash_key_id = :hash_key_id
             AND p.channel = :channel
           ORDER BY p.subscriber_id, p.position""",
        channel=channel,
        address_hash=address_hash,
        hash_key_id=hash_key_id,
    )
