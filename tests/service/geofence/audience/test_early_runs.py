"""Runs that went early, because the index was behind: what goes wrong before they are whole."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence

import pytest

from services.geofence.audience.resolve import Resolver
from services.geofence.index.tail import Roster
from shared.bus.errors import BusUnavailable
from shared.events.alert import AlertApproved
from shared.events.audience import AudienceResolved
from shared.events.base import Event
from tests.service.geofence.audience.listening import faults
from tests.service.geofence.audience.steps import Lagging, settled
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.world import INSIDE, World, approved, ended, place_changed


class Stumbling:
    """Publishes, but for one time: then the bus takes the events and nobody hears that it did."""

    def __init__(self, world: World) -> None:
        self._publish = world.publish()
        self.stumbles = False

    async def __call__(self, events: Sequence[Event]) -> None:
        """Publish events."""
        await self._publish(events)
        if self.stumbles and any(isinstance(event, AudienceResolved) for event in events):
            self.stumbles = False
            raise BusUnavailable("nobody knows")


class Asked(Roster):
    """The same roster, that never reaches V, and knows how long it was given for it."""

    def __init__(self, roster: Roster) -> None:
        self.__dict__ = dict(roster.__dict__)
        self.within_s: list[float | None] = []

    async def reached(
        self, offsets: Mapping[int, int], *, topic_id: str, within_s: float | None
    ) -> bool:
        """Say at once that it is not there; whoever asks again waits for ever."""
        self.within_s.append(within_s)
        if len(self.within_s) > 1:
            await asyncio.Event().wait()
        return False


async def lagging(world: World) -> Lagging:
    """Let the index of a world with somebody in it fall behind."""
    async with running(world.tail()):
        await world.roster.loaded.wait()
        await world.indexed()
        return Lagging(world.roster)


@pytest.mark.shows("F03", "G8")
async def test_a_second_look_that_fails_in_the_middle_is_made_again_from_its_beginning(
    world: World,
) -> None:
    known, others = uuid.uuid4(), [uuid.uuid4() for _ in range(5_200)]
    alert = approved()
    async with running(world.tail()):
        await world.send(place_changed(known, 1, INSIDE))
        await world.roster.loaded.wait()
        await world.indexed()
        behind = Lagging(world.roster)
        publish = Stumbling(world)
        resolver = world.seen_by(behind).resolver(publish=publish, patience_s=0.0)
        await world.send_many([place_changed(who, 1, INSIDE) for who in others])
        await resolver.resolve(alert)
        await world.indexed()
        publish.stumbles = True
        behind.caught_up.set()
        await settled(resolver)
    audience = await world.heard(alert)
    assert faults(audience, must={known, *others}, may=()) == []
    assert not publish.stumbles
    assert {chunk.run_id for chunk in audience.chunks} > {run.run_id for run in audience.completed}


@pytest.mark.shows("G8")
async def test_a_warning_waits_a_second_for_an_index_that_never_comes(world: World) -> None:
    who = uuid.uuid4()
    alert = approved()
    await world.send(place_changed(who, 1, INSIDE))
    await world.roster_loaded_and_still()
    roster = Asked(world.roster)
    resolver = Resolver(
        database=world.database,
        bus=world.bus,
        roster=roster,
        publish=world.publish(),
    )
    async with running(resolver):
        await resolver.resolve(alert)
        assert roster.within_s == [1.0]
        audience = await world.heard(alert)
    assert audience.members() == {who}
    assert audience.completed == []


@pytest.mark.shows("bad:K13")
async def test_announced_again_while_it_is_early_the_newer_run_takes_over(world: World) -> None:
    who = uuid.uuid4()
    alert = approved()
    await world.send(place_changed(who, 1, INSIDE))
    behind = await lagging(world)
    resolver = world.seen_by(behind).resolver(patience_s=0.0)
    for _ in range(3):
        await resolver.resolve(alert)
    assert len(resolver._early) == 1
    behind.caught_up.set()
    await settled(resolver)
    audience = await world.heard(alert)
    assert faults(audience, must={who}, may=()) == []
    assert len({chunk.run_id for chunk in audience.chunks}) == 3
    assert len(audience.completed) == 1
    # Runs that were given up stay, for whoever asks later what has been tried.
    rows = await world.rows("SELECT completed_at IS NULL AS open FROM geofence_run")
    assert sorted(bool(row["open"]) for row in rows) == [False, True, True]


@pytest.mark.parametrize("newer", [False, True], ids=["ended", "updated"])
async def test_an_early_run_of_an_alert_that_is_over_is_not_completed(
    world: World, newer: bool
) -> None:
    who = uuid.uuid4()
    alert = approved()
    await world.send(place_changed(who, 1, INSIDE))
    behind = await lagging(world)
    slow, quick = (world.seen_by(one) for one in (behind, world.roster))
    resolver = slow.resolver(patience_s=0.0)
    await resolver.resolve(alert)
    update = approved(alert.alert_id, version=2)
    if newer:
        await quick.resolver().resolve(update)
    else:
        async with running(quick.audience(quick.resolver())):
            await world.send(ended(alert))
            await eventually(lambda: _is_over(world, alert))
    # Told apart from one that goes on by that it ends by itself, behind as it still is.
    await settled(resolver)
    behind.caught_up.set()
    first, second = await world.heard(alert), await world.heard(update)
    assert first.completed == []
    assert first.members() == {who}
    if newer:
        assert faults(second, must={who}, may=()) == []


async def _is_over(world: World, alert: AlertApproved) -> bool:
    return bool(
        await world.value(
            "SELECT ended_at IS NOT NULL FROM geofence_live_alert WHERE alert_id = :id",
            id=alert.alert_id,
        )
    )
