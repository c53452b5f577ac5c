"""A replica takes alerts once its index has caught up: a snapshot may be nearly a day old."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.geofence.index.live_index import empty_index
from services.geofence.index.tail import NotCurrent, Roster, RosterTail
from services.geofence.service import OnceCurrent
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.tail import M, Reader, Tail
from shared.events.alert import AlertApproved
from shared.events.topics import Topic
from tests.service.geofence.audience.listening import faults
from tests.service.geofence.index.test_snapshots import people_in, replica, stopped_with
from tests.service.geofence.parts import PATIENCE_S, eventually, running
from tests.service.geofence.world import INSIDE, OUTSIDE, World, approved, place_changed


class Held(Bus):
    """The same bus for one index, whose topic can be read only when it may be."""

    def __init__(self, bus: Bus) -> None:
        self._real = bus
        self.may = asyncio.Event()

    async def topic_id(self, topic: Topic) -> str:
        """Return the real identity."""
        return await self._real.topic_id(topic)

    async def beginning_offsets(self, topic: Topic) -> dict[int, int]:
        """Return the real offsets."""
        return await self._real.beginning_offsets(topic)

    async def end_offsets(self, topic: Topic) -> dict[int, int]:
        """Return the real offsets."""
        return await self._real.end_offsets(topic)

    async def tail_through(self, reader: Reader[M], topic: Topic, **how: Any) -> Tail[M]:
        """Read the topic, when it may be."""
        await self.may.wait()
        return await self._real.tail_through(reader, topic, **how)


class Endless(Held):
    """The same bus for one index, with a topic whose end is never reached."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.may.set()

    async def end_offsets(self, topic: Topic) -> dict[int, int]:
        """Return more than there is."""
        ends: Mapping[int, int] = await self._real.end_offsets(topic)
        return {partition: end + 1 for partition, end in ends.items()}


@pytest.mark.shows("G8", "F03")
async def test_an_alert_is_resolved_by_the_index_that_has_caught_up(
    world: World, tmp_path: Path
) -> None:
    """Who has moved away since the snapshot is not warned, and who has come is."""
    stays, leaves, comes = (uuid.uuid4() for _ in range(3))
    await stopped_with(world, tmp_path, stays, leaves)
    await world.send(place_changed(leaves, 2, OUTSIDE), place_changed(comes, 1, INSIDE))
    held, alert = Held(world.bus), approved()
    again, tail = replica(replace(world, bus=held), tmp_path)
    # Not even the patience that every alert has helps an index that is behind.
    worker = world.audience(again.resolver(bus=world.bus, patience_s=0.0))
    async with running(tail, OnceCurrent(worker, again.roster)):
        await again.roster.loaded.wait()
        assert people_in(again) == 2
        await world.send(alert)
        with pytest.raises(NotCurrent):
            await again.roster.check()
        assert not worker.ready
        held.may.set()
        await eventually(lambda: _is_completed(world, alert))
        await again.roster.check()
    assert faults(await world.heard(alert), must={stays, comes}, may=()) == []
    assert await world.value("SELECT bool_or(went_early) FROM geofence_run") is False


class Started:
    """A part that says when it has started."""

    name = "started"

    def __init__(self) -> None:
        self.has = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Say so, and wait for the end."""
        self.has.set()
        await stop.wait()


async def test_what_takes_alerts_starts_with_the_index_that_has_caught_up() -> None:
    roster, part = Roster(), Started()
    await roster.move(empty_index(), "of a test", {0: 0})
    async with running(OnceCurrent(part, roster)):
        for _ in range(20):
            await asyncio.sleep(0)
        assert roster.loaded.is_set()
        assert not part.has.is_set()
        roster.current.set()
        await part.has.wait()


async def test_what_is_stopped_before_that_never_starts() -> None:
    part = Started()
    async with running(OnceCurrent(part, Roster())):
        await asyncio.sleep(0)
    assert not part.has.is_set()


@pytest.mark.shows("G8")
async def test_a_warning_waits_for_no_index_for_ever(world: World) -> None:
    who, alert = uuid.uuid4(), approved()
    await world.send(place_changed(who, 1, INSIDE))
    worker = world.audience(world.resolver())
    async with running(
        _tail(world, Endless(world.bus), catch_up_s=0.0), OnceCurrent(worker, world.roster)
    ):
        await world.roster.current.wait()
        await world.roster.check()
        await world.send(alert)
        await eventually(lambda: _is_completed(world, alert))
    assert faults(await world.heard(alert), must={who}, may=()) == []


async def test_it_waits_for_the_end_of_then_and_for_no_other(world: World) -> None:
    await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
    async with running(_tail(world, Endless(world.bus), catch_up_s=PATIENCE_S)):
        await world.indexed()
        assert not world.roster.current.is_set()
        await world.send(*(place_changed(uuid.uuid4(), 1, INSIDE) for _ in range(20)))
        await world.roster.current.wait()


@pytest.mark.parametrize("catch_up_s", [0.0, PATIENCE_S], ids=["stopped_late", "stopped_early"])
async def test_it_can_be_stopped_while_it_catches_up(world: World, catch_up_s: float) -> None:
    tail = _tail(world, Endless(world.bus), catch_up_s=catch_up_s)
    async with running(tail):
        await world.roster.loaded.wait()
    assert tail._catching_up is not None
    await asyncio.gather(tail._catching_up, return_exceptions=True)


def _tail(world: World, bus: Bus, *, catch_up_s: float) -> RosterTail:
    return RosterTail(
        bus=bus,
        database=world.database,
        verifier=world.keys.verifier,
        roster=world.roster,
        catch_up_s=catch_up_s,
    )


async def _is_completed(world: World, alert: AlertApproved) -> bool:
    return bool((await world.heard(alert)).completed)
