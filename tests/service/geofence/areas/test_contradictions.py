"""An index that names somebody outside an area is believed by nobody, and a person is called."""

import uuid
from typing import Any

import numpy as np
import pytest

from services.geofence.areas.workshop.pool import Workshop
from services.geofence.index.columns import Places
from services.geofence.index.live_index import LiveIndex
from services.geofence.index.people import Roll
from services.geofence.index.tail import Roster
from shared.events.topics import PLACE_CHANGED
from shared.watch.metrics import pages
from tests.conftest import KeyRings
from tests.service.geofence.areas.door import open_door
from tests.service.geofence.areas.test_previews import PREVIEW, RESOLVE, box
from tests.service.geofence.world import INSIDE, World

PEOPLE = 50
AROUND, ELSEWHERE = box(-72.8, 41.5, -72.6, 41.7), box(-73.3, 41.5, -73.1, 41.7)


async def spoilt(world: World) -> Roster:
    """Return an index whose people have moved without a word to its cells."""
    lon, lat = (np.full(PEOPLE, value) for value in INSIDE)
    roll = Roll(
        np.array([uuid.uuid4().bytes for _ in range(PEOPLE)], "S16"),
        np.ones(PEOPLE, np.int64),
        np.full(PEOPLE, 7, np.uint8),
    )
    index = LiveIndex(roll, Places(lon, lat, np.zeros(PEOPLE), np.arange(PEOPLE, dtype=np.int32)))
    index.view().places.lon[:] = -73.2
    roster = Roster()
    await roster.move(
        index,
        await world.bus.topic_id(PLACE_CHANGED),
        await world.bus.end_offsets(PLACE_CHANGED),
    )
    return roster


@pytest.mark.shows("M13", "S45")
@pytest.mark.parametrize("path", [PREVIEW, RESOLVE])
async def test_nothing_is_approved_by_an_index_that_contradicts_the_area(
    world: World, keyrings: KeyRings, path: str
) -> None:
    roster, called = await spoilt(world), _called()
    async with open_door(world, keyrings, roster=roster, workshop=Workshop(hands=1)) as desk:
        who = desk.dispatcher() if path == RESOLVE else desk.staff("manager")

        async def ask(area: dict[str, Any]) -> Any:
            return await desk.post(path, {"area": area}, **who)

        answer = await ask(AROUND)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:ct-alert:problem:index-contradicts"
        assert int(answer.headers["retry-after"]) > 0
        assert _called() == called + 1
        # Where it does not contradict itself it goes on.
        assert (await ask(ELSEWHERE)).status_code == 200
        assert _called() == called + 1


def _called() -> float:
    (metric,) = pages.labels("geofence", "index-contradicts").collect()
    return next(one.value for one in metric.samples if one.name == "ctalert_pages_total")
