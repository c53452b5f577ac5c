"""Stops a broadcast, and opens the correction for those it reached."""

from collections.abc import Mapping
from uuid import UUID

from services.dispatcher.delivery.broadcasts import store
from services.dispatcher.delivery.states import Texts
from shared.db.session import Tx


class BroadcastGone(Exception):
    """There is no such broadcast, or it is no longer live."""


async def stop_broadcast(
    tx: Tx,
    *,
    alert_id: UUID,
    version: int,
    reason: str,
    correction: Mapping[str, Texts] | None,
) -> int | None:
    """Stop a broadcast under its row lock: no claim or fan-out commits beside this.

    With correction texts, open the correction as the next version; it goes to every delivery of
    the stopped version that was, or later turns out to be, handed over. Returns its version.

    Raises:
        BroadcastGone: it is not there, or was stopped before.
    """
    if not await store.lock_live(tx, alert_id, version):
        raise BroadcastGone(f"broadcast {alert_id} version {version} is not live")
    await store.mark_stopped(tx, alert_id=alert_id, version=version, reason=reason)
    if not correction:
        return None
    return await store.insert_correction(tx, alert_id=alert_id, version=version, texts=correction)
