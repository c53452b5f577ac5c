"""Take a saved area out of use."""

from uuid import UUID

from services.geofence.saved import store
from services.geofence.saved.find_saved import find_saved
from shared.db.session import Tx
from shared.web.errors import forbidden, not_found


async def archive_saved(tx: Tx, saved_area_id: UUID) -> None:
    """Archive a saved area: it is offered no more, its versions stay; again changes nothing.

    Raises:
        Problem: 404 not there, 403 another's.
    """
    if await store.lock(tx, saved_area_id) is None:
        if await find_saved(tx, saved_area_id) is not None:
            raise forbidden("not-yours", "A shared area is archived by its own jurisdiction alone.")
        raise not_found()
    await store.archive(tx, saved_area_id)
