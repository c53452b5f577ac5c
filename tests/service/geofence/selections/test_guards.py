"""The database itself guards saved areas: whose they are, and that a version never changes."""

import pytest
import shapely

from services.geofence.areas.area import normalise
from services.geofence.saved.find_saved import find_saved
from services.geofence.saved.list_saved import list_saved
from services.geofence.saved.save_area import save_area
from services.geofence.saved.saved_area import Outcome, SavedArea, Wish
from shared.db.session import ALL_TOWNS, execute
from tests.service.geofence.selections.conftest import Counter

pytestmark = pytest.mark.shows("G7", "S10")
ANDOVER, ANSONIA = "0901301080", "0900901220"
AREA = normalise([shapely.box(-72.8, 41.5, -72.6, 41.7)])
OUTCOME = Outcome({"include": []}, AREA.wkb, AREA.digest, (), 1.0, 5)


async def saved_of(counter: Counter, town: str, *, shared: bool = False) -> SavedArea:
    """Save an area of a town's."""
    async with counter.database.transaction(town=town) as tx:
        return await save_area(tx, Wish("Dam", shared, OUTCOME, "staff:x"), town=town)


async def test_a_town_sees_its_own_and_what_is_shared(counter: Counter) -> None:
    own = await saved_of(counter, ANDOVER)
    shared = await saved_of(counter, ANSONIA, shared=True)
    state = await saved_of(counter, ALL_TOWNS)
    for town, seen in (
        (ANDOVER, (own, shared)),
        (ANSONIA, (shared,)),
        ("0900302060", (shared,)),
        (ALL_TOWNS, (own, shared, state)),
        ("", ()),
        (None, ()),
    ):
        async with counter.database.transaction(town=town) as tx:
            found = {
                one.saved_area_id
                for one in (own, shared, state)
                if await find_saved(tx, one.saved_area_id, archived=True)
            }
            listed = {one.saved_area_id for one in await list_saved(tx, after=None, limit=10)}
        assert found == listed == {one.saved_area_id for one in seen}


async def test_no_version_is_changed_or_deleted_by_anybody(counter: Counter) -> None:
    saved = await saved_of(counter, ANDOVER, shared=True)
    for town in (ANDOVER, ANSONIA, ALL_TOWNS):
        async with counter.database.transaction(town=town) as tx:
            for statement in (
                "UPDATE geofence_saved_area_version SET area_km2 = 0",
                "DELETE FROM geofence_saved_area_version",
                "DELETE FROM geofence_saved_area",
            ):
                assert await execute(tx, statement) == 0
    async with counter.database.transaction(town=ANSONIA) as tx:
        taken = "UPDATE geofence_saved_area SET name = 'mine', town = :town"
        assert await execute(tx, taken, town=ANSONIA) == 0
    async with counter.database.transaction(town=ANDOVER) as tx:
        assert await find_saved(tx, saved.saved_area_id) == saved


async def test_nobody_writes_for_another_town(counter: Counter) -> None:
    wish = Wish("Dam", False, OUTCOME, "staff:x")
    with pytest.raises(Exception, match="row-level security"):
        async with counter.database.transaction(town=ANSONIA) as tx:
            await save_area(tx, wish, town=ANDOVER)
