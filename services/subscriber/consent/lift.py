"""Forgets addresses whose owners asked to be written to again."""

from collections.abc import Sequence
from datetime import datetime

from services.subscriber.consent import store
from services.subscriber.consent.history import Address
from shared.db.session import Tx


async def lift(tx: Tx, addresses: Sequence[Address], *, at: datetime | None = None) -> None:
    """Forget addresses whose owners asked to be written to again; a later wish stays."""
    if addresses:
        await store.delete_suppressions(
            tx,
            channels=[one.channel for one in addresses],
            hashes=[one.digest for one in addresses],
            until=at,
        )
