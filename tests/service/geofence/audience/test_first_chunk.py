"""The first people are told before the last have been found."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from shapely.geometry.base import BaseGeometry

from services.geofence.audience.chunks import MOST_IDS
from services.geofence.index.columns import Places
from services.geofence.index.live_index import LiveIndex
from services.geofence.index.people import Roll
from services.geofence.index.tail import Roster
from services.geofence.index.view import Block, View
from shared.events.topics import PLACE_CHANGED
from tests.service.geofence.audience.listening import faults
from tests.service.geofence.parts import PATIENCE_S, eventually, running
from tests.service.geofence.world import INSIDE, World, approved

PEOPLE = 3 * MOST_IDS


class Slow(Roster):
    """A roster whose views find everybody but the first chunk's people only when they may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.found = 0

    def view(self) -> View:
        """Return the index as it is, behind a brake."""
        return _Braked(self, super().view())  # type: ignore[return-value]


class _Braked:
    """A view that gives out its people a chunk at a time, the first at once."""

    def __init__(self, roster: Slow, view: View) -> None:
        self._roster, self._view = roster, view

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def blocks(self, area: BaseGeometry, *, seen: Any = None) -> Iterator[Block]:
        """Yield everybody once; after the first chunk wait to be told."""
        for block in self._view.blocks(area, seen=seen):
            for at in range(0, len(block.people), MOST_IDS):
                if self._roster.found:
                    assert self._roster.may_go_on.wait(PATIENCE_S)
                part = replace(block, people=block.people[at : at + MOST_IDS])
                self._roster.found += len(part.people)
                yield part


@pytest.mark.shows("G8", "G14")
async def test_the_first_chunk_is_out_before_the_last_is_resolved(world: World) -> None:
    ids = [uuid.uuid4() for _ in range(PEOPLE)]
    roster = Slow()
    lon, lat = (np.full(PEOPLE, value) for value in INSIDE)
    index = LiveIndex(
        Roll(
            np.array([one.bytes for one in ids], "S16"),
            np.ones(PEOPLE, np.int64),
            np.full(PEOPLE, 7, np.uint8),
        ),
        Places(lon, lat, np.zeros(PEOPLE), np.arange(PEOPLE, dtype=np.int32)),
    )
    await roster.move(
        index,
        await world.bus.topic_id(PLACE_CHANGED),
        await world.bus.end_offsets(PLACE_CHANGED),
    )
    slow = world.seen_by(roster)
    alert = approved()
    async with running(slow.audience(slow.resolver())):
        await world.send(alert)
        await eventually(lambda: _first_is_out(world, alert.alert_id))
        assert roster.found == MOST_IDS
        assert (await world.heard(alert)).completed == []
        roster.may_go_on.set()
        await eventually(lambda: _is_completed(world, alert.alert_id))
    audience = await world.heard(alert)
    assert faults(audience, must=set(ids), may=()) == []
    assert len(audience.chunks) == 3


async def _first_is_out(world: World, alert_id: uuid.UUID) -> bool:
    return bool((await world.all_heard())[alert_id, 1].chunks)


async def _is_completed(world: World, alert_id: uuid.UUID) -> bool:
    return bool((await world.all_heard())[alert_id, 1].completed)
