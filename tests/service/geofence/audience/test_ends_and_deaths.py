"""Runs that die, alerts that end, topics that are lost: nobody is lost, nobody told twice."""

import uuid
from typing import Any

import pytest

from services.geofence.audience.store import end
from shared.events.alert import AlertApproved
from shared.events.topics import PLACE_CHANGED
from shared.watch import failpoints
from tests.service.geofence.parts import eventually, killed, running
from tests.service.geofence.world import INSIDE, OUTSIDE, World, approved, ended, place_changed


async def resolve(world: World, alert: AlertApproved, **options: Any) -> None:
    await world.resolver(**options).resolve(alert)


@pytest.mark.shows("bad:K13")
async def test_an_alert_announced_again_is_resolved_again_under_a_new_run(world: World) -> None:
    who = uuid.uuid4()
    alert = approved()
    async with running(world.tail()):
        await world.send(place_changed(who, 1, INSIDE))
        await world.roster.loaded.wait()
        await resolve(world, alert)
        await resolve(world, alert)
    audience = await world.heard(alert)
    assert len(set(audience.runs())) == 2
    assert audience.members() == {who}
    done = await world.rows("SELECT members, chunks, went_early FROM geofence_run")
    assert done == [{"members": 1, "chunks": 1, "went_early": False}] * 2


@pytest.mark.parametrize(
    "point", ["geofence.after_registration", "geofence.between_chunks", "geofence.before_completed"]
)
@pytest.mark.shows("F03")
async def test_a_run_that_dies_is_made_again_by_another_replica(world: World, point: str) -> None:
    people = [uuid.uuid4() for _ in range(60)]
    alert = approved()
    async with running(world.tail()):
        await world.send(*(place_changed(who, 1, INSIDE) for who in people))
        await world.roster.loaded.wait()
        await world.indexed()
        failpoints.arm(f"{point}=raise@1", environment="development")
        try:
            with pytest.raises(failpoints.FailpointHit):
                await resolve(world, alert)
        finally:
            failpoints.arm("", environment="development")
        assert (await world.heard(alert)).completed == []
        await resolve(world, alert)
    audience = await world.heard(alert)
    assert audience.members() == set(people)
    (completed,) = audience.completed
    assert completed.members == 60


async def test_who_joined_while_a_dead_run_was_made_again_is_reached(world: World) -> None:
    who = uuid.uuid4()
    alert = approved()
    async with running(world.places(), world.relay()):
        async with running(world.tail()):
            await world.roster.loaded.wait()
            failpoints.arm("geofence.after_registration=raise@1", environment="development")
            try:
                with pytest.raises(failpoints.FailpointHit):
                    await resolve(world, alert)
            finally:
                failpoints.arm("", environment="development")
            await world.send(place_changed(who, 1, INSIDE))
            await world.kept()
            await world.indexed()
            await resolve(world, alert)
        await world.relayed()
    audience = await world.heard(alert)
    assert audience.members(late=True) == {who}
    assert audience.members(late=False) == {who}


async def test_an_ended_alert_has_no_late_joiners_and_no_second_run(world: World) -> None:
    alert = approved()
    await world.roster_loaded_and_still()
    resolver = world.resolver()
    async with running(world.places(), world.relay(), world.audience(resolver)):
        await world.send(alert)
        await eventually(lambda: _completed(world, alert, runs=1))
        await world.send(ended(alert))
        await eventually(lambda: _ended(world, alert))
        await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
        await world.kept()
        await resolver.resolve(alert)
        await world.relayed()
    audience = await world.heard(alert)
    assert audience.chunks == []
    assert len(audience.completed) == 1


async def test_an_end_that_comes_before_the_approval_holds(world: World) -> None:
    alert = approved()
    async with world.database.transaction() as tx:
        await end(tx, alert_id=alert.alert_id, version=alert.version, reason="cancelled")
    await world.roster_loaded_and_still()
    await resolve(world, alert)
    audience = await world.heard(alert)
    assert (audience.chunks, audience.completed) == ([], [])


async def test_an_expired_alert_is_not_resolved(world: World) -> None:
    alert = approved(lives_s=-1)
    await world.roster_loaded_and_still()
    await resolve(world, alert)
    assert (await world.heard(alert)).completed == []


@pytest.mark.shows("bad:K14")
async def test_late_joiners_join_the_newest_version_alone(world: World) -> None:
    who = uuid.uuid4()
    first = approved()
    second = approved(first.alert_id, version=2)
    await world.roster_loaded_and_still()
    await resolve(world, first)
    await resolve(world, second)
    await resolve(world, first)
    async with running(world.places(), world.relay()):
        await world.send(place_changed(who, 1, INSIDE))
        await world.kept()
        await world.relayed()
    assert len((await world.heard(first)).completed) == 1
    assert (await world.heard(first)).chunks == []
    assert (await world.heard(second)).members(late=True) == {who}


async def test_a_roster_topic_lost_and_replayed_loses_and_doubles_nobody(world: World) -> None:
    before, after = uuid.uuid4(), uuid.uuid4()
    alert = approved()
    async with running(world.relay(), world.tail()):
        async with running(world.places()):
            await world.send(place_changed(before, 2, INSIDE))
            await world.kept()
            await world.roster.loaded.wait()
            await resolve(world, alert)
        await world.bus.delete_topics([PLACE_CHANGED])
        await world.topic_made_again(PLACE_CHANGED)
        async with running(world.places()):
            await world.send(place_changed(before, 1, OUTSIDE), place_changed(before, 2, INSIDE))
            await world.send(place_changed(after, 1, INSIDE))
            await world.kept()
            await world.indexed()
            await resolve(world, alert)
        await world.relayed()
    audience = await world.heard(alert)
    assert audience.members(late=False) == {before, after}
    assert audience.members(late=True) == {after}
    assert len(audience.completed) == 2


async def test_a_keeper_killed_after_reading_leaves_nothing_half_done(world: World) -> None:
    who = uuid.uuid4()
    alert = approved()
    await world.roster_loaded_and_still()
    await resolve(world, alert)
    failpoints.arm("bus.before_commit=raise@1", environment="development")
    try:
        places = world.places()
        async with killed(places):
            await world.send(place_changed(who, 1, INSIDE))
            await world.kept()
    except failpoints.FailpointHit:
        pass
    finally:
        failpoints.arm("", environment="development")
    async with running(world.places(), world.relay()):
        await world.send(place_changed(uuid.uuid4(), 1, OUTSIDE))
        await world.kept()
        await world.relayed()
    audience = await world.heard(alert)
    assert [chunk.late for chunk in audience.chunks] == [True]
    assert audience.members() == {who}


async def _completed(world: World, alert: AlertApproved, *, runs: int) -> bool:
    return len((await world.heard(alert)).completed) >= runs


async def _ended(world: World, alert: AlertApproved) -> bool:
    return bool(
        await world.value(
            "SELECT ended_at IS NOT NULL FROM geofence_live_alert WHERE alert_id = :id",
            id=alert.alert_id,
        )
    )
