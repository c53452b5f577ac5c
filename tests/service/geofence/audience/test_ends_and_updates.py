"""Alerts that end, expire or are updated beside a run and beside late joiners."""

import asyncio
import uuid
from collections.abc import Sequence

import pytest

from services.geofence.areas.area import unpack
from services.geofence.audience.keep_places import keep_places
from services.geofence.audience.late_joiners import Areas
from services.geofence.audience.store import end, register
from shared.bus.message import Message
from shared.bus.outbox import Outbox
from shared.clock import SystemClock
from shared.db.session import Tx, execute
from shared.events.alert import AlertApproved
from shared.events.topics import PLACE_CHANGED
from shared.watch import failpoints
from tests.service.geofence.audience.listening import faults
from tests.service.geofence.audience.steps import STEPS, Steps, square
from tests.service.geofence.parts import eventually, killed, running
from tests.service.geofence.world import INSIDE, World, approved, place_changed

ENDS = ("ended", "updated", "expired")


async def over(world: World, alert: AlertApproved, how: str) -> None:
    """End an alert in one of the three ways there are."""
    if how == "updated":
        update = alert.model_copy(update={"version": 2})
        await world.resolver().resolve(update)
        return
    async with world.database.transaction() as tx:
        if how == "ended":
            await end(tx, alert_id=alert.alert_id, version=1, reason="cancelled")
        else:
            await execute(
                tx,
                "UPDATE geofence_live_alert SET expires_at = now() WHERE alert_id = :id",
                id=alert.alert_id,
            )


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("step", STEPS[1:], ids=lambda step: step.replace(" ", "_"))
async def test_over_beside_a_run_nobody_joins_it_any_more(
    long_world: World, step: str, how: str
) -> None:
    world = long_world.replica()
    area, spot = square(STEPS.index(step) * len(ENDS) + ENDS.index(how))
    stays, comes = uuid.uuid4(), uuid.uuid4()
    alert = approved(area=area)
    update = approved(alert.alert_id, version=2, area=area)
    async with running(world.tail()):
        await world.send(place_changed(stays, 1, spot))
        await world.roster.loaded.wait()
        await world.indexed()
        steps = Steps(step, lambda: over(world, alert, how))
        await steps.resolver(world).resolve(alert)
        await steps.reach("after 5")
    async with running(world.places(), world.relay()):
        await world.send(place_changed(comes, 1, spot))
        await world.kept()
        await world.relayed()
    first, second = await world.heard(alert), await world.heard(update)
    # Its run is whole: whether anything is still sent is decided where it is sent.
    assert faults(first, must={stays}, may=()) == []
    if how == "updated":
        assert faults(second, must={stays, comes}, may=()) == []
        assert second.members(late=True) == {comes}
    else:
        assert second.chunks == []


@pytest.mark.parametrize("first", [1, 2])
async def test_versions_registered_at_the_same_moment_leave_the_newest_alone(
    world: World, first: int
) -> None:
    """The second waits for the first, or neither would see that there is a newer one."""
    alert_id = uuid.uuid4()
    one, other = (approved(alert_id, version=version) for version in (first, 3 - first))
    async with world.database.transaction() as tx:
        await _register(tx, one)
        beside = asyncio.create_task(_register_alone(world, other))

        async def done_or_waiting() -> bool:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            return beside.done() or bool(await world.value(waiting))

        await eventually(done_or_waiting)
    await beside
    live = await world.rows("SELECT version FROM geofence_live_alert WHERE ended_at IS NULL")
    assert live == [{"version": 2}]


async def test_an_update_that_ended_before_it_came_ends_what_it_updates(world: World) -> None:
    alert = approved()
    update = approved(alert.alert_id, version=2)
    await world.roster_loaded_and_still()
    await world.resolver().resolve(alert)
    async with world.database.transaction() as tx:
        await end(tx, alert_id=alert.alert_id, version=2, reason="cancelled")
    await world.resolver().resolve(update)
    async with running(world.places(), world.relay()):
        await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
        await world.kept()
        await world.relayed()
    assert (await world.heard(alert)).members() == set()
    assert (await world.heard(update)).completed == []


@pytest.mark.parametrize("first", ["the end", "the change"])
async def test_an_end_beside_a_late_joiner_waits_for_nothing(world: World, first: str) -> None:
    """The two transactions are open at once; whichever commits first, both do."""
    who = uuid.uuid4()
    alert = approved()
    await world.roster_loaded_and_still()
    await world.resolver().resolve(alert)
    await world.send(place_changed(who, 1, INSIDE))
    messages = await _read(world)
    outbox = Outbox("geofence", signer=world.keys.signer, clock=SystemClock())
    async with asyncio.timeout(20):
        async with world.database.transaction() as keeping:
            topic_id = await world.bus.topic_id(PLACE_CHANGED)
            if first == "the end":
                await _end(world, alert)
            await keep_places(keeping, messages, topic_id=topic_id, areas=Areas(), outbox=outbox)
            if first == "the change":
                await _end(world, alert)
        async with running(world.relay()):
            await world.relayed()
    audience = await world.heard(alert)
    assert audience.members(late=True) == ({who} if first == "the change" else set())


@pytest.mark.shows("F05", "G8")
async def test_a_late_joiner_whose_relay_dies_is_told_under_the_same_chunk(world: World) -> None:
    who = uuid.uuid4()
    alert = approved()
    await world.roster_loaded_and_still()
    await world.resolver().resolve(alert)
    async with running(world.places()):
        await world.send(place_changed(who, 1, INSIDE))
        await world.kept()
    failpoints.arm("bus.relay_after_ack=raise@1", environment="development")
    try:
        async with killed(world.relay()):
            await eventually(lambda: _is_told(world, alert))
    except failpoints.FailpointHit:
        pass
    finally:
        failpoints.arm("", environment="development")
    async with running(world.relay()):
        await world.relayed()
    audience = await world.heard(alert)
    assert [chunk.late for chunk in audience.chunks] == [True, True]
    assert faults(audience, must={who}, may=()) == []


async def _register(tx: Tx, alert: AlertApproved) -> None:
    area = unpack(alert.area_wkb, digest=alert.area_digest)
    await register(tx, alert, wkb=area.wkb, since=None)


async def _register_alone(world: World, alert: AlertApproved) -> None:
    async with world.database.transaction() as tx:
        await _register(tx, alert)


async def _read(world: World) -> Sequence[Message]:
    ends = await world.bus.end_offsets(PLACE_CHANGED)
    found: list[Message] = []
    async with await world.bus.tail(PLACE_CHANGED, verifier=world.keys.verifier) as tail:
        while any(tail.positions()[one] < at for one, at in ends.items()):
            async for batch in tail.poll():
                found += batch.messages
    return found


async def _end(world: World, alert: AlertApproved) -> None:
    async with world.database.transaction() as tx:
        await end(tx, alert_id=alert.alert_id, version=alert.version, reason="cancelled")


async def _is_told(world: World, alert: AlertApproved) -> bool:
    return bool((await world.heard(alert)).chunks)
