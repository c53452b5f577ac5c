"""A few changes do not wait for thousands more to be sorted in."""

import uuid

import pytest

from services.geofence.index import tail
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.world import AREA, INSIDE, World, place_changed


async def test_a_few_changes_are_sorted_in_after_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "SORT_IN_S", 0.0)

    async def sorted_in() -> bool:
        await world.indexed()
        return len(world.roster.view().places) == 3

    async with running(world.tail()):
        await world.send(*(place_changed(uuid.uuid4(), 1, INSIDE) for _ in range(3)))
        await world.indexed()
        await eventually(sorted_in)
        assert world.roster.view().count(AREA).people == 3
