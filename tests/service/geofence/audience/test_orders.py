"""Every order of approval and change: nobody falls between, nobody is told twice."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.geofence.areas.area import unpack
from services.geofence.audience.run import Run
from services.geofence.index.tail import Roster
from shared.events.alert import AlertApproved
from shared.events.audience import AudienceResolved
from shared.events.base import Event
from shared.events.topics import PLACE_CHANGED
from tests.service.geofence.audience.listening import faults
from tests.service.geofence.audience.steps import Between
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.world import INSIDE, OUTSIDE, World, approved, place_changed


async def resolve(world: World, alert: AlertApproved, **options: Any) -> None:
    await world.resolver(**options).resolve(alert)


@pytest.mark.shows("G8")
async def test_a_change_before_approval_is_in_the_run(world: World) -> None:
    inside, outside = uuid.uuid4(), uuid.uuid4()
    alert = approved()
    async with running(world.tail()):
        await world.send(place_changed(inside, 1, INSIDE), place_changed(outside, 1, OUTSIDE))
        await world.roster.loaded.wait()
        await resolve(world, alert)
    audience = await world.heard(alert)
    assert audience.members() == {inside}
    (completed,) = audience.completed
    assert (completed.chunks, completed.members) == (1, 1)
    assert completed.area_digest == alert.area_digest
    assert completed.roster_topic_id == await world.bus.topic_id(PLACE_CHANGED)
    assert completed.roster_offsets == {
        str(one): offset for one, offset in (await world.bus.end_offsets(PLACE_CHANGED)).items()
    }


@pytest.mark.shows("G8")
async def test_a_change_between_registration_and_v_is_waited_for(world: World) -> None:
    who = uuid.uuid4()
    alert = approved()

    async def sign_up() -> None:
        assert await world.value("SELECT count(*) FROM geofence_live_alert") == 1
        await world.send(place_changed(who, 1, INSIDE))

    async with running(world.tail()):
        await world.roster.loaded.wait()
        await resolve(world, alert, bus=Between(world.bus, before=sign_up))
    audience = await world.heard(alert)
    assert audience.members() == {who}
    assert len(audience.completed) == 1


@pytest.mark.shows("G8")
async def test_a_change_after_v_is_a_late_joiner_once(world: World) -> None:
    who = uuid.uuid4()
    alert = approved()

    async def sign_up() -> None:
        await world.send(place_changed(who, 1, INSIDE))

    await world.roster_loaded_and_still()
    await resolve(world, alert, bus=Between(world.bus, after=sign_up), patience_s=0.05)
    assert (await world.heard(alert)).members() == set()
    async with running(world.places(), world.relay()):
        await world.kept()
        await world.send(place_changed(who, 2, INSIDE, OUTSIDE), place_changed(who, 3, INSIDE))
        await world.kept()
        await world.relayed()
    audience = await world.heard(alert)
    assert [chunk.late for chunk in audience.chunks] == [True]
    assert audience.members(late=True) == {who}


@pytest.mark.shows("G8")
async def test_who_moves_in_while_the_alert_is_live_joins_and_so_does_who_moves_out(
    world: World,
) -> None:
    mover, leaver, fuzzy = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    alert = approved()
    beside = (-72.598, 41.6)
    async with running(world.tail(), world.places(), world.relay()):
        await world.send(place_changed(mover, 1, OUTSIDE), place_changed(leaver, 1, INSIDE))
        await world.roster.loaded.wait()
        # What is kept after the registration is a late joiner too, for all that the run found it.
        await world.kept()
        await resolve(world, alert)
        await world.send(place_changed(mover, 2, INSIDE), place_changed(leaver, 2, OUTSIDE))
        await world.send(place_changed(fuzzy, 1, beside, uncertainty_m=300))
        await world.kept()
        await world.relayed()
    audience = await world.heard(alert)
    assert audience.members(late=False) == {leaver}
    late = [pair for chunk in audience.chunks if chunk.late for pair in chunk.members()]
    joined = [(mover, "inside"), (leaver, "inside"), (fuzzy, "by_uncertainty")]
    assert sorted(late) == sorted(joined)


@pytest.mark.shows("G8")
async def test_who_leaves_just_after_v_is_in_the_run_and_joins_late_too(world: World) -> None:
    """The index has taken the move before the run looks, and holds nobody who was inside."""
    who = uuid.uuid4()

    async def move_out() -> None:
        await world.send(place_changed(who, 2, OUTSIDE))
        await world.indexed()

    async with running(world.tail(), world.places(), world.relay()):
        await world.send(place_changed(who, 1, INSIDE))
        await world.roster.loaded.wait()
        await world.kept()
        alert = approved()
        await resolve(world, alert, bus=Between(world.bus, after=move_out))
        await world.kept()
        await world.relayed()
    audience = await world.heard(alert)
    assert audience.completed[0].members == 1
    assert audience.members(late=True) == {who}


@pytest.mark.shows("F03", "G8")
async def test_who_leaves_while_no_replica_lives_is_told_once(world: World) -> None:
    stays, leaves, left, comes = (uuid.uuid4() for _ in range(4))
    async with running(world.places(), world.relay()):
        await world.send(*(place_changed(who, 1, INSIDE) for who in (stays, leaves, left)))
        await world.send(place_changed(left, 2, OUTSIDE), place_changed(comes, 1, OUTSIDE))
        await world.kept()
        alert = approved()
        await world.send(alert)
        await world.send(place_changed(leaves, 2, OUTSIDE), place_changed(comes, 2, INSIDE))
        await world.kept()
        async with running(world.tail(), world.audience(world.resolver())):
            await eventually(lambda: _completed(world, alert, runs=1))
        await world.send(place_changed(leaves, 3, INSIDE), place_changed(leaves, 4, OUTSIDE))
        await world.kept()
        await world.relayed()
    audience = await world.heard(alert)
    assert faults(audience, must={stays, leaves, comes}, may=()) == []
    assert audience.completed[-1].members == 3


@pytest.mark.parametrize("kept", ["before", "while the run waits"])
@pytest.mark.shows("G8", "M13")
async def test_a_run_finds_somebody_where_all_have_left_before_it(world: World, kept: str) -> None:
    """Else the alert would be held before the late chunk comes, and nobody ever be told."""
    who = uuid.uuid4()
    async with running(world.places()):
        await world.send(place_changed(who, 1, INSIDE))
        await world.kept()
        alert = approved()
        if kept == "before":
            await world.send(place_changed(who, 2, OUTSIDE))
            await world.kept()
    await world.send(place_changed(who, 3, OUTSIDE))
    await world.roster_loaded_and_still()
    resolving = asyncio.create_task(world.resolver(patience_s=20.0).resolve(alert))
    await eventually(lambda: _is_registered(world))
    if kept != "before":
        assert not resolving.done()
        async with running(world.places()):
            await resolving
    await resolving
    audience = await world.heard(alert)
    assert faults(audience, must={who}, may=()) == []
    (completed,) = audience.completed
    assert (completed.chunks, completed.members) == (1, 1)


async def test_a_run_tells_nobody_twice_who_has_left_whatever_their_ids_end_in() -> None:
    alert, told = approved(), list[UUID]()

    async def publish(events: Sequence[Event]) -> None:
        chunks = [event for event in events if isinstance(event, AudienceResolved)]
        told.extend(who for chunk in chunks for who, _ in chunk.members())

    run = Run(uuid.uuid4(), alert, unpack(alert.area_wkb, digest=alert.area_digest), publish)
    people = [UUID(int=number << 56) for number in range(1, 4)]
    lon, lat = INSIDE
    left = [{"subscriber_id": who, "lon": lon, "lat": lat, "uncertainty_m": 0.0} for who in people]
    for some in (left[:2], left[:2], left[1:]):
        await run.publish_left(some)
    assert (told, run.members, run.chunks) == (people, 3, 2)


@pytest.mark.shows("G8")
async def test_an_index_that_lags_goes_early_and_publishes_the_difference(world: World) -> None:
    known, unknown = uuid.uuid4(), uuid.uuid4()
    alert = approved()
    async with running(world.tail()):
        await world.send(place_changed(known, 1, INSIDE))
        await world.roster.loaded.wait()
        await world.indexed()
    await world.send(place_changed(unknown, 1, INSIDE))
    resolver = world.resolver(patience_s=0.05)
    async with running(resolver):
        await resolver.resolve(alert)
        early = await world.heard(alert)
        assert early.members() == {known}
        assert early.completed == []
        async with running(world.tail()):
            await eventually(lambda: _completed(world, alert, runs=1))
    audience = await world.heard(alert)
    (completed,) = audience.completed
    # A new tail is a new index, which numbers people anew.
    assert completed.members == 2
    assert faults(audience, must={known, unknown}, may=()) == []
    assert {chunk.run_id for chunk in audience.chunks} == {completed.run_id}
    assert sorted(chunk.chunk for chunk in audience.chunks) == list(range(completed.chunks))


async def test_an_early_run_of_the_same_index_publishes_only_who_is_new(world: World) -> None:
    known, unknown = uuid.uuid4(), uuid.uuid4()
    alert = approved()
    async with running(world.tail()):
        await world.send(place_changed(known, 1, INSIDE))
        await world.roster.loaded.wait()
        await world.indexed()
        # A replica whose index is as fresh, but which does not know it yet.
        unsure = Unsure(world.roster)
        resolver = replace(world, roster=unsure).resolver(patience_s=0.05)
        async with running(resolver):
            await resolver.resolve(alert)
            assert (await world.heard(alert)).completed == []
            await world.send(place_changed(unknown, 1, INSIDE))
            await world.indexed()
            unsure.knows.set()
            await eventually(lambda: _completed(world, alert, runs=1))
    audience = await world.heard(alert)
    members = [who for chunk in audience.chunks for who, _ in chunk.members()]
    assert sorted(members) == sorted([known, unknown])
    assert audience.completed[0].members == 2


@pytest.mark.shows("G14")
async def test_many_people_leave_in_chunks_of_five_thousand(world: World) -> None:
    people = [uuid.uuid4() for _ in range(11_000)]
    alert = approved()
    async with running(world.tail()):
        await world.roster.loaded.wait()
        await world.send_many([place_changed(who, 1, INSIDE) for who in people])
        await resolve(world, alert)
    audience = await world.heard(alert)
    sizes = sorted(len(list(chunk.members())) for chunk in audience.chunks)
    assert sizes == [1_000, 5_000, 5_000]
    assert audience.members() == set(people)
    assert audience.completed[0].members == 11_000


class Unsure(Roster):
    """The same roster, that does not say how far it is before it knows."""

    def __init__(self, roster: Roster) -> None:
        self.__dict__ = dict(roster.__dict__)
        self.knows = asyncio.Event()

    async def reached(
        self, offsets: Mapping[int, int], *, topic_id: str, within_s: float | None
    ) -> bool:
        """Wait as long as asked for the moment to know."""
        try:
            async with asyncio.timeout(within_s):
                await self.knows.wait()
        except TimeoutError:
            return False
        return True


async def _completed(world: World, alert: AlertApproved, *, runs: int) -> bool:
    return len((await world.heard(alert)).completed) >= runs


async def _is_registered(world: World) -> bool:
    return bool(await world.value("SELECT count(*) FROM geofence_live_alert"))
