"""Lets a resident leave for good."""

from uuid import UUID

from services.subscriber.roster.erase import erase
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.web.errors import not_found


async def leave(tx: Tx, subscriber_id: UUID, *, outbox: Outbox) -> None:
    """Erase a resident: only keyed hashes of their proved addresses stay, so nobody writes there.

    Raises:
        Problem: 404 where there is no such resident any more.
    """
    if await erase(tx, subscriber_id, outbox=outbox) is None:
        raise not_found()
