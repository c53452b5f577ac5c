"""Three replicas: one is killed in the middle of resolving, one is started, partitions move."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner

from shared.bus.kafka.bus import Bus
from shared.events.alert import AlertApproved
from shared.events.audience import AudienceResolved
from shared.events.base import Event
from shared.events.topics import ALL
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.audience.listening import faults
from tests.service.geofence.conftest import open_world
from tests.service.geofence.index.test_snapshots import stopped_with
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.replicas.replica import Replica, make_replica
from tests.service.geofence.world import AREA, INSIDE, OUTSIDE, World, approved, place_changed

pytestmark = pytest.mark.timeout(180)

PARTITIONS = 6
PEOPLE = 5_100
MOVED = 50
CORNERS = [list(corner) for corner in AREA.exterior.coords]


def one_for_each_partition() -> list[AlertApproved]:
    """Make alerts of which every partition gets one, so that every replica does."""
    partition_of, everyone = DefaultPartitioner(), list(range(PARTITIONS))
    found: dict[int, AlertApproved] = {}
    while len(found) < PARTITIONS:
        alert = approved()
        found.setdefault(partition_of(alert.key().encode(), everyone, everyone), alert)
    return list(found.values())


@pytest.mark.shows("F03", "F01", "G8")
async def test_one_is_killed_in_the_middle_and_one_is_started(
    kafka: str,
    fresh_database: Callable[..., ServiceDatabase],
    keyrings: KeyRings,
    tmp_path: Path,
) -> None:
    bus = Bus(kafka, namespace=f"t{uuid.uuid4().hex[:8]}", client_id="test", partitions=PARTITIONS)
    await bus.create_topics()
    database = fresh_database("geofence")
    made = [
        make_replica(
            tmp_path / f"{n}.log",
            bus=bus,
            database=database,
            keyrings=keyrings,
            partitions=PARTITIONS,
        )
        for n in range(4)
    ]
    try:
        async with open_world(bus, database.app_url, keyrings) as world:
            await _play(world, made)
    finally:
        for one in made:
            one.remove()
        await bus.delete_topics(ALL)
        await bus.close()


async def _play(world: World, replicas: Sequence[Replica]) -> None:
    *first, newcomer = replicas
    victim = first[0]
    for one in first:
        one.start(failpoints="geofence.between_chunks=kill@1" if one is victim else "")
    people, late = [uuid.uuid4() for _ in range(PEOPLE)], uuid.uuid4()
    moved = [uuid.uuid4() for _ in range(MOVED)]
    alerts = one_for_each_partition()
    async with running(world.places(), world.relay()):
        await stopped_with(world, newcomer.snapshots, *moved)
        await world.send_many([place_changed(who, 2, OUTSIDE) for who in moved])
        await world.send_many([place_changed(who, 1, INSIDE) for who in people])
        await world.kept()
        for one in first:
            await asyncio.to_thread(one.wait_ready)
        await world.send(*alerts)
        await asyncio.to_thread(victim.wait_dead)
        newcomer.start()
        await world.send(place_changed(late, 1, INSIDE))
        # Whoever draws a map meanwhile notices nothing.
        for one in first[1:]:
            assert await asyncio.to_thread(one.people, CORNERS) >= PEOPLE
        await asyncio.to_thread(newcomer.wait_ready)
        # All it had at first were those of the snapshot, who had all moved away since.
        assert newcomer.first_residents() == MOVED
        await eventually(lambda: _all_completed(world, alerts))
        await world.kept()
        await world.relayed()
    audiences = await world.all_heard()
    heard = [audiences[alert.alert_id, 1] for alert in alerts]
    assert [faults(one, must={*people, late}, may=()) for one in heard] == [[]] * PARTITIONS
    # An alert that was registered after the change has it in its run; the victim's was before.
    assert any(late in one.members(late=True) for one in heard)
    # It did die in the middle: a run of its has chunks and no end.
    assert any({c.run_id for c in one.chunks if not c.late} > {*one.runs()} for one in heard)
    for one in replicas[1:]:
        assert await asyncio.to_thread(one.people, CORNERS) == PEOPLE + 1
        assert one.residents() == PEOPLE + MOVED + 1


class Gate:
    """Publishes, but lets nothing pass after the first chunk until it is opened."""

    def __init__(self, world: World) -> None:
        self._publish = world.publish()
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self, events: Sequence[Event]) -> None:
        """Publish events."""
        await self._publish(events)
        if any(isinstance(event, AudienceResolved) for event in events):
            self.reached.set()
            await self.open.wait()


@pytest.mark.parametrize("finishes", [True, False], ids=["finishes", "is_given_up"])
@pytest.mark.shows("F03", "G8")
async def test_a_partition_that_moves_in_the_middle_of_a_run_doubles_nobody(
    world: World, finishes: bool
) -> None:
    """Its replica may finish what it has begun; if that takes too long another begins anew."""
    who, alerts = uuid.uuid4(), [approved() for _ in range(6)]
    other = world.replica()
    async with running(world.tail(), other.tail()):
        await world.send(place_changed(who, 1, INSIDE))
        await world.roster.loaded.wait()
        await other.roster.loaded.wait()
        gate = Gate(world)
        stuck = world.resolver(publish=gate)
        async with running(world.audience(stuck, drain_s=15.0 if finishes else 0.1)):
            await world.send(*alerts)
            await gate.reached.wait()
            joining = other.audience(other.resolver())
            async with running(joining):
                if finishes:
                    gate.open.set()
                await joining.wait_ready()
                gate.open.set()
                await eventually(lambda: _all_completed(world, alerts))
    audiences = await world.all_heard()
    for alert in alerts:
        assert faults(audiences[alert.alert_id, 1], must={who}, may=()) == []
    runs = await world.rows("SELECT completed_at IS NULL AS open FROM geofence_run")
    given_up = [row for row in runs if row["open"]]
    assert bool(given_up) is not finishes


async def _all_completed(world: World, alerts: Sequence[AlertApproved]) -> bool:
    heard = await world.all_heard()
    return all(heard[alert.alert_id, 1].completed for alert in alerts)
