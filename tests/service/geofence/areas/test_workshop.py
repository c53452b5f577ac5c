"""Geometry is worked on apart: what takes too long ends its own process and nobody's request."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from services.geofence.areas.shapes.shape import Given
from services.geofence.areas.workshop import lane, pool
from services.geofence.areas.workshop.job import Job
from services.geofence.areas.workshop.lane import Busy
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.layers.geometry import GeometryRefused
from tests.service.geofence.parts import eventually, running

CIRCLE: dict[str, Any] = {
    "include": [{"type": "circle", "lon": -72.7, "lat": 41.6, "radius_m": 1_500}]
}
SQUARE = shapely.box(-72.8, 41.5, -72.6, 41.7)


def comb(*, turned: bool = False) -> shapely.Polygon:
    """Return 1,500 teeth; two that lie across cross nine million times."""
    at = np.linspace(0, 0.4, 3_001).reshape(-1, 1)
    teeth = np.hstack([at, np.where(np.arange(3_001).reshape(-1, 1) // 2 % 2, 0.4, 0.01)])
    points = np.vstack([teeth, [[0.4, 0.0], [0.0, 0.0]]])
    corner = np.array([-72.9, 41.4])
    return shapely.Polygon(corner + (points[:, ::-1] if turned else points))


# Layers are nobody's drawing and so not counted: the way to what no cap has seen.
BOMB = Job({**CIRCLE}, Given(features=(comb(), comb(turned=True))))


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    """A workshop of one hand."""
    made = Workshop(hands=1)
    yield made
    await made.close()


def hands() -> set[int]:
    """Return the processes of this one that work on geometry."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"workshop.hand" in (entry / "cmdline").read_bytes():
                status = (entry / "status").read_text()
                if f"PPid:\t{os.getpid()}\n" in status and "State:\tZ" not in status:
                    found.add(int(entry.name))
        except OSError:
            continue
    return found


async def are_hands(number: int) -> bool:
    """Say whether so many are at work."""
    await asyncio.sleep(0)
    return len(hands()) == number


async def are_idle(workshop: Workshop, number: int) -> bool:
    """Say whether so many wait for work."""
    await asyncio.sleep(0)
    return len(workshop._idle) == number


def read(path: str) -> bytes:
    """Return a file."""
    return Path(path).read_bytes()


@pytest.mark.shows("S31")
async def test_it_makes_the_same_area_as_at_home(workshop: Workshop) -> None:
    job = Job({**CIRCLE, "exclude": CIRCLE["include"]}, Given(features=(SQUARE,)))
    assert shapely.to_wkb(await workshop.make(job)) == shapely.to_wkb(job.make())


@pytest.mark.shows("S31", "bad:A07")
async def test_what_takes_too_long_is_refused_and_the_next_is_made(workshop: Workshop) -> None:
    await workshop.make(Job(CIRCLE))
    before = hands()
    with pytest.raises(GeometryRefused) as refused:
        await workshop.make(BOMB)
    assert (refused.value.code, refused.value.status) == ("too-complex", 413)
    assert not before & hands()
    assert shapely.area(await workshop.make(Job(CIRCLE))) > 0


@pytest.mark.shows("S31")
async def test_while_one_works_the_loop_and_the_other_hand_are_free() -> None:
    workshop = Workshop(hands=3)
    try:
        bomb = asyncio.create_task(workshop.make(BOMB))
        for _ in range(20):
            await workshop.make(Job(CIRCLE))
            assert not bomb.done()
        with pytest.raises(GeometryRefused, match="too-complex"):
            await bomb
    finally:
        await workshop.close()


@pytest.mark.shows("S31", "S45")
async def test_previews_never_hold_every_hand() -> None:
    """With bombs on all that are theirs, and others waiting, one is there for an approval."""
    workshop = Workshop()
    async with running(workshop):
        await eventually(lambda: are_idle(workshop, pool.HANDS))
        bombs = [asyncio.create_task(workshop.make(BOMB)) for _ in range(pool.HANDS)]
        for _ in range(10):
            await workshop.make(Job(CIRCLE), for_approval=True)
            assert not any(bomb.done() for bomb in bombs)
        assert len(hands()) == pool.HANDS
        for refused in await asyncio.gather(*bombs, return_exceptions=True):
            assert isinstance(refused, GeometryRefused)


async def test_a_hand_that_died_between_two_jobs_costs_nobody_anything(workshop: Workshop) -> None:
    await workshop.make(Job(CIRCLE))
    (idle,) = hands()
    os.kill(idle, signal.SIGKILL)
    assert shapely.area(await workshop.make(Job(CIRCLE))) > 0
    assert hands() != {idle}


async def test_a_request_that_is_given_up_leaves_no_answer_behind(workshop: Workshop) -> None:
    """The next to ask must not get what the last one asked for."""
    given_up = asyncio.create_task(workshop.make(Job({"include": [shape_of(SQUARE)]})))
    await eventually(lambda: are_hands(1))
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    area = await workshop.make(Job(CIRCLE))
    assert shapely.to_wkb(area) == shapely.to_wkb(Job(CIRCLE).make())


@pytest.mark.shows("S45")
async def test_a_long_queue_is_told_to_come_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "MOST_WAITING", 2)
    async with workshop._slot(for_approval=False):
        asked = [asyncio.create_task(workshop.make(Job(CIRCLE))) for _ in range(3)]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert [type(one.exception()) for one in done] == [Busy]
    assert (shapely.area(await asyncio.gather(*waiting)) > 0).all()
    assert shapely.area(await workshop.make(Job(CIRCLE))) > 0


@pytest.mark.shows("S45")
async def test_where_no_process_can_be_had_nothing_is_made_at_home(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Busy):
        await workshop.make(Job(CIRCLE))
    monkeypatch.undo()
    assert shapely.area(await workshop.make(Job(CIRCLE))) > 0


async def test_it_ends_with_its_service() -> None:
    workshop, stop = Workshop(), asyncio.Event()
    running = asyncio.create_task(workshop.run(stop))
    await eventually(lambda: are_hands(pool.HANDS))
    stop.set()
    await running
    assert not hands()


@pytest.mark.shows("S14")
async def test_a_hand_knows_no_secret(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTALERT_GEOFENCE_DATABASE_URL", "postgresql://of.a.test")
    await workshop.make(Job(CIRCLE))
    (idle,) = hands()
    assert b"CTALERT" not in read(f"/proc/{idle}/environ")


@pytest.mark.shows("S31")
@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param({"include": [{"type": "geojson", "geometry": None}]}, "geometry-required",
                     id="null"),
        pytest.param({"exclude": CIRCLE["include"]}, "include-required", id="only exclude"),
        pytest.param({**CIRCLE, "exclude": CIRCLE["include"]}, "empty-area", id="nothing left"),
    ],
)  # fmt: skip
async def test_a_refusal_comes_back_as_it_was_made(
    workshop: Workshop, request_: dict[str, Any], code: str
) -> None:
    with pytest.raises(GeometryRefused) as apart:
        await workshop.make(Job(request_))
    with pytest.raises(GeometryRefused) as at_home:
        Job(request_).make()
    for one in (apart.value, at_home.value):
        assert one.code == code
    assert str(apart.value) == str(at_home.value)
    assert apart.value.status == at_home.value.status


def shape_of(geometry: shapely.Geometry) -> dict[str, Any]:
    """Return a drawn shape."""
    points = [list(point) for point in geometry.exterior.coords]
    return {"type": "geojson", "geometry": {"type": "Polygon", "coordinates": [points]}}
