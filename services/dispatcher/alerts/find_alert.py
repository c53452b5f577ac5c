"""Finding an alert of the town that the transaction is for."""

from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.alerts import store
from shared.db.session import Tx
from shared.web.errors import not_found


async def find_alert(tx: Tx, alert_id: UUID, *, lock: bool = False) -> RowMapping:
    """Return an alert's row, locked if asked.

    Raises:
        Problem: 404 for one that is not there, or another town's.
    """
    row = await store.find(tx, alert_id, lock=lock)
    if row is None:
        raise not_found("There is no such alert.")
    return row
