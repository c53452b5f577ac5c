"""Finds whose delivery an answer belongs to."""

from uuid import UUID

from services.dispatcher.receipts import store
from shared.db.session import Tx
from shared.security.sealing import AddressHash


async def address_of(tx: Tx, delivery_id: UUID) -> AddressHash | None:
    """Return whose delivery this is, as a hash; None when there is no such delivery."""
    found = (await store.read_deliveries(tx, [delivery_id])).get(delivery_id)
    return AddressHash(found.hash_key_id, found.address_hash) if found else None
