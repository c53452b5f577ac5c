"""List saved areas, as far as the transaction's town may see them."""

from collections.abc import Sequence
from uuid import UUID

from services.geofence.saved import store
from services.geofence.saved.saved_area import Listed
from shared.db.session import Tx


async def list_saved(tx: Tx, *, after: UUID | None, limit: int) -> Sequence[Listed]:
    """Return live saved areas without their geometry, oldest first, those after an id."""
    return await store.page(tx, after=after, limit=limit)
