"""Save an area under a name."""

from services.geofence.saved import store
from services.geofence.saved.find_saved import find_saved
from services.geofence.saved.saved_area import SavedArea, Wish
from shared.db.session import Tx
from shared.identifiers import new_id
from shared.web.errors import conflict

MOST_OF_A_TOWN = 1_000


async def save_area(tx: Tx, wish: Wish, *, town: str) -> SavedArea:
    """Write the first version of a saved area that belongs to a jurisdiction.

    Raises:
        Problem: 409 where the name is taken or the jurisdiction has MOST_OF_A_TOWN areas.
    """
    saved_area_id = new_id()
    await store.lock_names(tx, town)
    if await store.count_live(tx, town) >= MOST_OF_A_TOWN:
        raise conflict("too-many-saved-areas", f"At most {MOST_OF_A_TOWN} areas can be saved.")
    if await store.name_is_taken(tx, town=town, name=wish.name, other_than=saved_area_id):
        raise conflict("name-taken", "Another saved area has this name.")
    await store.insert_area(
        tx, saved_area_id, town=town, name=wish.name, shared=wish.shared, by=wish.by
    )
    await store.add_version(tx, saved_area_id, town=town, outcome=wish.outcome, by=wish.by)
    saved = await find_saved(tx, saved_area_id)
    if saved is None:
        raise RuntimeError("the area just saved is not there")
    return saved
