"""Changes, alerts, deaths and lost topics in an order drawn by lot: nobody lost, nobody twice."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import shapely

from shared.events.alert import AlertApproved
from shared.events.subscriber import PlaceChanged
from shared.events.topics import PLACE_CHANGED
from shared.service import Part
from shared.watch import failpoints
from tests.service.geofence.audience.listening import Audience, faults, whole_runs
from tests.service.geofence.audience.steps import settled
from tests.service.geofence.parts import PATIENCE_S, eventually, running
from tests.service.geofence.world import World, approved, ended, place_changed

AREAS = [shapely.box(-72.8, 41.5, -72.6, 41.7), shapely.box(-72.7, 41.6, -72.5, 41.8)]
# In the first, in both, in the second, in neither.
SPOTS = [(-72.75, 41.55), (-72.65, 41.65), (-72.55, 41.75), (-73.2, 41.6)]
DEATHS = (
    "geofence.after_registration",
    "geofence.after_sight",
    "geofence.between_chunks",
    "geofence.before_completed",
    "geofence.after_completed",
    "geofence.before_places_commit",
    "bus.before_commit",
    "bus.relay_after_ack",
)
PEOPLE, STEPS = 40, 60


class Supervised:
    """A part that is made anew whenever it dies, and that can be started again."""

    def __init__(self, make: Callable[[], Part]) -> None:
        self.name = "supervised"
        self._make = make
        self._again = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Let one after the other live until told to stop."""
        stopping = asyncio.create_task(self._stop_too(stop))
        while not stop.is_set():
            self._again = asyncio.Event()
            with suppress(failpoints.FailpointHit):
                await self._make().run(self._again)
        await stopping

    def start_again(self) -> None:
        """End the one that lives now, so that another is made."""
        self._again.set()

    async def _stop_too(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._again.set()


class Replica:
    """What resolves alerts; early runs die with it."""

    name = "replica"

    def __init__(self, world: World) -> None:
        self._resolver = world.resolver(patience_s=0.3)
        self._worker = world.audience(self._resolver)

    async def run(self, stop: asyncio.Event) -> None:
        """Resolve until told to stop."""
        try:
            await self._worker.run(stop)
        finally:
            for task in self._resolver._early.values():
                task.cancel()
            await settled(self._resolver)


@dataclass
class Said:
    """An alert version that was announced, who was inside at some moment since, if it is over.

    Those who `left` were inside at its approval or when it was registered, or since.
    """

    alert: AlertApproved
    area: int
    inside_once: set[uuid.UUID]
    at_approval: set[uuid.UUID]
    left: set[uuid.UUID] = field(default_factory=set)
    over: bool = False
    # What was read of a lost topic and is handled after may be older than the approval.
    lived_through_a_loss: bool = False


@dataclass
class Lot:
    """What the lot decides about: people, alerts and the parts of a geofence."""

    world: World
    chance: random.Random
    parts: Sequence[Supervised]
    where: dict[uuid.UUID, tuple[int, int | None]] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    ever: list[set[uuid.UUID]] = field(default_factory=lambda: [set(), set()])

    def inside(self, area: int) -> set[uuid.UUID]:
        """Return who lives in an area now, by brute force."""
        return {
            who
            for who, (_, spot) in self.where.items()
            if spot is not None and AREAS[area].covers(shapely.Point(SPOTS[spot]))
        }

    async def move(self) -> None:
        """Let somebody come, move, or be forgotten for good."""
        if len(self.where) < PEOPLE and self.chance.random() < 0.5:
            self.where[uuid.uuid4()] = (0, None)
        if not self.where:
            return
        who = self.chance.choice(list(self.where))
        version, spot = self.where[who]
        if version and spot is None:
            return
        goes = None if version and self.chance.random() < 0.1 else self.chance.randrange(len(SPOTS))
        registered = await self._registered()
        for one in self.said:
            inside = self.inside(one.area)
            one.left |= {who} & (inside if one in registered else inside & one.at_approval)
        self.where[who] = (version + 1, goes)
        for area in range(len(AREAS)):
            self.ever[area] |= self.inside(area)
        # Before it is sent: whoever is told of it may be told from now on.
        for one in self.said:
            one.inside_once |= self.inside(one.area)
        await self.world.send(self._change(who))

    async def approve(self) -> None:
        """Approve an alert, or a newer version of one, or announce one again."""
        if self.said and self.chance.random() < 0.4:
            await self.world.send(self.chance.choice(self.said).alert)
            return
        area, version, alert_id = self.chance.randrange(len(AREAS)), 1, None
        if self.said and self.chance.random() < 0.4:
            older = self.chance.choice([one for one in self.said if not self._is_updated(one)])
            alert_id, version, older.over = older.alert.alert_id, older.alert.version + 1, True
        alert = approved(alert_id, version=version, area=AREAS[area])
        self.said.append(Said(alert, area, self.inside(area), self.inside(area)))
        await self.world.send(alert)

    async def end(self) -> None:
        """End an alert."""
        if self.said and self.chance.random() < 0.5:
            one = self.chance.choice(self.said)
            one.over = True
            await self.world.send(ended(one.alert))

    async def die(self) -> None:
        """Let a part die at its next pass of some point, or start one again."""
        if self.chance.random() < 0.6:
            point, nth = self.chance.choice(DEATHS), self.chance.randint(1, 3)
            failpoints.arm(f"{point}=raise@{nth}", environment="development")
        else:
            self.chance.choice(self.parts).start_again()

    async def lose(self) -> None:
        """Lose the roster topic, make it again, and replay everybody into it."""
        for one in self.said:
            one.lived_through_a_loss = True
            # Only their newest places are replayed: what nobody had kept yet is gone.
            one.left.clear()
            # And of what is replayed nobody knows since when it is so.
            one.at_approval.clear()
        await self.world.bus.delete_topics([PLACE_CHANGED])
        await self.world.topic_made_again(PLACE_CHANGED)
        await self.world.send_many([self._change(who) for who, (v, _) in self.where.items() if v])
        await self.world.kept()

    def wrong(
        self,
        one: Said,
        audiences: Mapping[tuple[uuid.UUID, int], Audience],
        early: Collection[tuple[object, object]],
    ) -> list[str]:
        """Say what is wrong with the audience of an alert version."""
        version = (one.alert.alert_id, one.alert.version)
        forgotten = {who for who, (_, spot) in self.where.items() if spot is None}
        must = set() if one.over else self.inside(one.area) | (one.left - forgotten)
        # What an early look tells of may be older than the approval.
        older = version in early or one.lived_through_a_loss
        may = self.ever[one.area] if older else one.inside_once
        found = faults(audiences[version], must=must, may=may)
        return [fault for fault in found if not (one.over and fault == "no run is whole")]

    async def _registered(self) -> Sequence[Said]:
        rows = await self.world.rows("SELECT alert_id, version FROM geofence_live_alert")
        known = {(row["alert_id"], row["version"]) for row in rows}
        return [one for one in self.said if (one.alert.alert_id, one.alert.version) in known]

    def _change(self, who: uuid.UUID) -> PlaceChanged:
        version, spot = self.where[who]
        if spot is None:
            return place_changed(who, version, erased=True)
        return place_changed(who, version, SPOTS[spot])

    def _is_updated(self, one: Said) -> bool:
        same = [other for other in self.said if other.alert.alert_id == one.alert.alert_id]
        return any(other.alert.version > one.alert.version for other in same)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.shows("F03", "F16", "G8")
async def test_whatever_comes_in_whatever_order(world: World, seed: int) -> None:
    chance = random.Random(seed)
    other = world.replica()
    makes: list[Callable[[], Part]] = [world.places, world.relay, world.tail, other.tail]
    makes += [lambda: Replica(world), lambda: Replica(other)]
    parts = [Supervised(make) for make in makes]
    lot = Lot(world, chance, parts)
    acts: list[Callable[[], Awaitable[None]]] = [*[lot.move] * 12, *[lot.approve] * 4]
    acts += [lot.end, lot.die, lot.die, lot.die]
    async with running(*parts):
        await world.roster.loaded.wait()
        await other.roster.loaded.wait()
        try:
            for step in range(STEPS):
                await (lot.lose if step == STEPS // 2 else chance.choice(acts))()
        finally:
            failpoints.arm("", environment="development")
        await announced_until_whole(world, [one.alert for one in lot.said if not one.over])
        await world.kept()
        await world.relayed()
    audiences = await world.all_heard()
    runs = await world.rows("SELECT alert_id, version FROM geofence_run WHERE went_early")
    early = {(row["alert_id"], row["version"]) for row in runs}
    assert [fault for one in lot.said for fault in lot.wrong(one, audiences, early)] == []
    assert any(not one.over for one in lot.said)


async def announced_until_whole(world: World, alerts: Sequence[AlertApproved]) -> None:
    """Announce what has no whole run until it has one, as the dispatcher does."""

    async def all_whole() -> bool:
        heard = await world.all_heard()
        return all(whole_runs(heard[one.alert_id, one.version]) for one in alerts)

    async with asyncio.timeout(PATIENCE_S):
        while not await all_whole():
            await world.send(*alerts)
            await world.indexed()
            with suppress(TimeoutError):
                async with asyncio.timeout(5.0):
                    await eventually(all_whole)
