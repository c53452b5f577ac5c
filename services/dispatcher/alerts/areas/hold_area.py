"""Holding a draft until a person gives it an area."""

from uuid import UUID

from services.dispatcher.alerts.areas import store
from services.dispatcher.alerts.areas.hold import Hold
from shared.db.session import Tx


async def hold_area(tx: Tx, alert_id: UUID, hold: Hold) -> bool:
    """Hold a draft that has no area yet; say whether it was one, and not held before."""
    return await store.hold(tx, alert_id, reason=hold.reason, codes=hold.codes, answer=hold.answer)
