"""However many previews are under way, an approval and an approved alert wait for none of them."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from shapely.geometry.base import BaseGeometry

from services.geofence.areas import api
from services.geofence.areas.workshop.job import Job
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.index.tail import Roster
from services.geofence.index.view import Count, View
from shared.events.alert import AlertApproved
from tests.conftest import KeyRings
from tests.service.geofence.areas.door import open_door
from tests.service.geofence.areas.test_previews import PREVIEW, RESOLVE, box, opened
from tests.service.geofence.audience.listening import faults
from tests.service.geofence.desk import Desk
from tests.service.geofence.parts import PATIENCE_S, eventually, running
from tests.service.geofence.test_api import CIRCLE
from tests.service.geofence.world import INSIDE, World, approved, place_changed

# What previews ask for; an approval asks for a circle in it.
WIDE = box(-72.9, 41.4, -72.5, 41.8)
PREVIEWS = 20


class Counting(Roster):
    """A roster whose views count the wide area of previews only when they may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.stuck = 0

    def view(self) -> View:
        """Return the index as it is, behind a brake."""
        return _Braked(self, super().view())  # type: ignore[return-value]


class _Braked:
    def __init__(self, roster: Counting, view: View) -> None:
        self._roster, self._view = roster, view

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def count(self, area: BaseGeometry, **towns: Any) -> Count:
        """Count, of the wide area only when told to."""
        if area.bounds[0] == -72.9:
            self._roster.stuck += 1
            assert self._roster.may.wait(PATIENCE_S)
        return self._view.count(area, **towns)


class Making(Workshop):
    """A workshop in which previews are worked on for as long as they may be."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.stuck = 0

    async def make(self, job: Job, *, for_approval: bool = False) -> BaseGeometry:
        """Make an area, of a preview only when told to."""
        if not for_approval:
            self.stuck += 1
            await self.may.wait()
        return await super().make(job, for_approval=for_approval)


@asynccontextmanager
async def previews(
    desk: Desk, stuck: Callable[[], bool], go_on: Callable[[], None]
) -> AsyncIterator[None]:
    """Have more previews than there are turns, hands and connections be stuck meanwhile."""

    async def are_stuck() -> bool:
        await asyncio.sleep(0)
        return stuck()

    asked = [
        asyncio.create_task(desk.post(PREVIEW, {"area": WIDE}, **desk.staff("manager", subject=n)))
        for n in map(str, range(PREVIEWS))
    ]
    try:
        await eventually(are_stuck)
        yield
        assert not all(one.done() for one in asked)
    finally:
        go_on()
        answers = await asyncio.gather(*asked)
    # Those that had to wait for too long may come again.
    assert {one.status_code for one in answers} <= {200, 503}
    assert 200 in {one.status_code for one in answers}


async def approve_and_resolve(world: World, desk: Desk) -> None:
    """Have an area resolved before an approval, and an approved alert after it."""
    answer = await desk.post(RESOLVE, {"area": CIRCLE}, **desk.dispatcher())
    assert (answer.status_code, answer.json()["estimate"]["people"]) == (200, 1)
    alert = approved()
    async with running(world.audience(world.resolver())):
        await world.send(alert)
        await eventually(lambda: _is_completed(world, alert))
    assert len((await world.heard(alert)).members()) == 1


@pytest.fixture
async def counting(world: World) -> AsyncIterator[Counting]:
    """An index with somebody in the middle of it, which stays as it is."""
    roster = Counting()
    await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
    await world.seen_by(roster).roster_loaded_and_still()
    yield roster
    roster.may.set()


@pytest.mark.shows("S45", "G8")
async def test_previews_that_are_being_made_hold_no_connection(
    world: World, keyrings: KeyRings, counting: Counting
) -> None:
    counting.may.set()
    workshop = Making()
    async with (
        open_door(world, keyrings, roster=counting, workshop=workshop) as desk,
        previews(desk, lambda: workshop.stuck == PREVIEWS, workshop.may.set),
    ):
        await approve_and_resolve(world.seen_by(counting), desk)


@pytest.mark.shows("S45", "G8")
async def test_previews_that_are_being_counted_take_neither_all_threads_nor_a_connection(
    world: World, keyrings: KeyRings, counting: Counting
) -> None:
    at_once = api._previews_at_once()
    async with (
        open_door(world, keyrings, roster=counting, workshop=Workshop()) as desk,
        previews(desk, lambda: counting.stuck == at_once, counting.may.set),
    ):
        await approve_and_resolve(world.seen_by(counting), desk)
        assert counting.stuck == at_once


@pytest.fixture
def every_thread() -> Iterator[Callable[[], None]]:
    """Take every thread that asyncio has when called, until the end of the test."""
    may_end = threading.Event()
    taken: list[asyncio.Task[bool]] = []

    def take() -> None:
        taken.extend(asyncio.create_task(asyncio.to_thread(may_end.wait)) for _ in range(40))

    yield take
    may_end.set()


@pytest.mark.shows("G8")
async def test_an_alert_is_resolved_in_threads_of_its_own(
    world: World, every_thread: Callable[[], None]
) -> None:
    who, alert = uuid.uuid4(), approved()
    await world.send(place_changed(who, 1, INSIDE))
    await world.roster_loaded_and_still()
    every_thread()
    await world.resolver().resolve(alert)
    assert faults(await world.heard(alert), must={who}, may=()) == []


async def test_a_replica_reaches_its_database_by_two_ways(world: World, keyrings: KeyRings) -> None:
    """Whoever draws, and whoever is warned, wait each for connections of their own."""
    async with opened(world, keyrings) as desk:
        answer: httpx2.Response = await desk.post(
            PREVIEW, {"area": CIRCLE}, **desk.staff("manager")
        )
        assert answer.status_code == 200
        rows = await world.rows(
            "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
        )
        names = {row["application_name"] for row in rows}
    assert names >= {"geofence:replica", "geofence:replica:audience"}


async def _is_completed(world: World, alert: AlertApproved) -> bool:
    return bool((await world.heard(alert)).completed)
