"""Remembers addresses that asked to be left alone, so that no later import writes to them."""

from collections.abc import Sequence
from datetime import datetime

from services.subscriber.consent import store
from services.subscriber.consent.history import Address
from shared.db.session import Tx


async def suppress(
    tx: Tx, addresses: Sequence[Address], *, reason: str, at: datetime | None = None
) -> None:
    """Remember addresses, whether or not anybody here has them; None is now."""
    if addresses:
        await store.insert_suppressions(
            tx,
            channels=[one.channel for one in addresses],
            hashes=[one.digest for one in addresses],
            key_ids=[one.key_id for one in addresses],
            reason=reason,
            at=at,
        )
