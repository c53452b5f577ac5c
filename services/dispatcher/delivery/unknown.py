"""Deliveries whose outcome is not certain: taken to be looked up, then adopted or given up."""

from collections.abc import Sequence
from uuid import UUID

from services.dispatcher.delivery import store_due
from services.dispatcher.delivery.states import Claimed, Found
from shared.db.session import Tx


async def take_unknown(tx: Tx, channel: str, limit: int) -> list[Claimed]:
    """Take deliveries of unknown outcome whose hold is over, to be looked up within 15 s."""
    return await store_due.take_unknown(tx, channel, limit)


async def adopt(tx: Tx, found: Sequence[Found]) -> int:
    """Bind deliveries of unknown outcome to the message that the provider turned out to have."""
    return await store_due.adopt(tx, found)


async def give_up(tx: Tx, taken: Sequence[tuple[UUID, int]]) -> int:
    """Send again what no look-up found (pairs of id and epoch), or close it if it is too late."""
    return await store_due.give_up(tx, taken)
