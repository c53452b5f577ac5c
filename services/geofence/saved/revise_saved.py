"""Give a saved area a new version; the versions before stay as they are."""

from uuid import UUID

from services.geofence.saved import store
from services.geofence.saved.find_saved import find_saved
from services.geofence.saved.saved_area import SavedArea, Wish
from shared.db.session import Tx
from shared.web.errors import conflict, forbidden, not_found, precondition_failed


async def revise_saved(
    tx: Tx, saved_area_id: UUID, wish: Wish, *, expected: int | None
) -> SavedArea:
    """Write the next version of a saved area, if `expected` is the newest or None.

    Raises:
        Problem: 404 not there or archived, 403 another's, 412 not the newest, 409 name taken.
    """
    row = await store.lock(tx, saved_area_id)
    if row is None or row["archived"]:
        if await find_saved(tx, saved_area_id) is not None:
            raise forbidden("not-yours", "A shared area is changed by its own jurisdiction alone.")
        raise not_found()
    if expected is not None and expected != row["newest"]:
        raise precondition_failed()
    town = row["town"]
    await store.lock_names(tx, town)
    if await store.name_is_taken(tx, town=town, name=wish.name, other_than=saved_area_id):
        raise conflict("name-taken", "Another saved area has this name.")
    await store.set_label(tx, saved_area_id, name=wish.name, shared=wish.shared)
    await store.add_version(tx, saved_area_id, town=town, outcome=wish.outcome, by=wish.by)
    saved = await find_saved(tx, saved_area_id)
    if saved is None:
        raise RuntimeError("the version just written is not there")
    return saved
