"""Forgets for what the person on duty was called."""

from services.dispatcher.staff import store
from shared.db.session import Tx


async def forget_pages(tx: Tx) -> None:
    """Forget what was paged for more than a day ago."""
    await store.prune_pages(tx)
