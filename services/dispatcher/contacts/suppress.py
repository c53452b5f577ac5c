"""Keeps the suppression list: which addresses must not be written to, on which channel."""

from datetime import datetime

from services.dispatcher.contacts import store
from shared.db.session import Tx


async def suppress(
    tx: Tx, *, channel: str, address_hash: bytes, hash_key_id: str, reason: str, at: datetime
) -> bool:
    """Put an address on the list as of a moment, unless its owner opted in again later.

    Returns whether the address is now suppressed.
    """
    return await store.add_suppression(
        tx,
        channel=channel,
        address_hash=address_hash,
        hash_key_id=hash_key_id,
        reason=reason,
        at=at,
    )
