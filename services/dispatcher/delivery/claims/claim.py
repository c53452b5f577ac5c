"""Takes deliveries for one process to send."""

from collections.abc import Sequence
from uuid import UUID

from services.dispatcher.delivery.claims import store
from services.dispatcher.delivery.states import Claimed
from shared.db.session import Tx


async def claim(tx: Tx, ids: Sequence[UUID], *, provider: str, channel: str) -> list[Claimed]:
    """Take at most these deliveries for sending, each under a lease of 30 s and a new epoch.

    The statement itself checks state, due time, broadcast, suppression and contact in this
    service's own database: what was committed before it counts. What may not be sent any more is
    closed with its reason; what another process holds is left out; a call to a number that
    another call is just being made to is due again in a second.
    """
    if channel == "voice":
        await store.lock_lines(tx, ids)
    return await store.claim(tx, ids, provider=provider)
