"""Find a saved area, as far as the transaction's town may see it."""

from uuid import UUID

from services.geofence.saved import store
from services.geofence.saved.saved_area import SavedArea
from shared.db.session import Tx


async def find_saved(
    tx: Tx, saved_area_id: UUID, *, version: int | None = None, archived: bool = False
) -> SavedArea | None:
    """Return a version of a saved area, the newest unless one is named, or None.

    The transaction's town decides what there is: its own areas and those shared with the whole
    state; ALL_TOWNS sees all, and a transaction without a town sees none. Archived ones are found
    only where asked for: nothing new is made with them.
    """
    return await store.find(tx, saved_area_id, version=version, archived=archived)
