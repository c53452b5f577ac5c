"""Lifts suppressions that a later opt-in outdates."""

from datetime import datetime

from services.dispatcher.contacts import store
from shared.db.session import Tx


async def lift(tx: Tx, *, channel: str, address_hash: bytes, at: datetime) -> bool:
    """Lift a suppression that is older than the moment of a new opt-in."""
    return await store.lift_suppression(tx, channel=channel, address_hash=address_hash, at=at)
