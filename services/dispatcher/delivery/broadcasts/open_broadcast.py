"""Opens a broadcast: one alert version's texts, to be delivered."""

from services.dispatcher.delivery.broadcasts import store
from services.dispatcher.delivery.states import Broadcast
from shared.db.session import Tx


async def open_broadcast(tx: Tx, broadcast: Broadcast) -> None:
    """Open a broadcast, live at once, in the transaction that approves its alert.

    Raises:
        ValueError: no text at all, no channel, or no area behind an alert's broadcast.
    """
    if not broadcast.texts or not broadcast.channels:
        raise ValueError("a broadcast needs a text and a channel")
    if broadcast.kind == "alert" and not broadcast.area_digest:
        raise ValueError("an alert's broadcast needs the digest of its area")
    await store.insert_broadcast(tx, broadcast)
