"""Moves deliveries to what signed receipts report."""

from collections.abc import Sequence

from services.dispatcher.delivery import store
from services.dispatcher.delivery.states import Effect, StateUpdate
from shared.db.session import Tx


async def raise_states(tx: Tx, updates: Sequence[StateUpdate]) -> list[Effect]:
    """Move deliveries to what signed receipts report, in their order, and never backwards.

    Returns for each update "moved", "evidence" (known, but nothing moved) or "unknown".
    """
    return await store.raise_states(tx, updates)
