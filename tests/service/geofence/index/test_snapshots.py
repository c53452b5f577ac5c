"""A replica starts from its snapshot and the topic alone, and from the tables if it must."""

import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from services.geofence.index.snapshots.keeper import SnapshotKeeper
from services.geofence.index.snapshots.snapshot import FILE, OLDEST
from services.geofence.index.tail import Roster, RosterTail
from shared.clock import SystemClock
from shared.db.session import execute
from shared.events.topics import PLACE_CHANGED
from tests.fakes import StillClock
from tests.service.geofence.parts import eventually, killed, running
from tests.service.geofence.world import AREA, INSIDE, OUTSIDE, World, place_changed


def replica(world: World, folder: Path, **options: object) -> tuple[World, RosterTail]:
    """Return another replica's view of a world, and what feeds its index."""
    other = replace(world, roster=Roster())
    keeper = SnapshotKeeper(folder, **{"clock": SystemClock()} | options)  # type: ignore[arg-type]
    tail = RosterTail(
        bus=world.bus,
        database=world.database,
        verifier=world.keys.verifier,
        roster=other.roster,
        snapshots=keeper,
    )
    return other, tail


async def tables_lost(world: World) -> None:
    """Empty the tables, so that who is found was not read from them."""
    async with world.database.transaction() as tx:
        await execute(tx, "DELETE FROM geofence_place")
        await execute(tx, "DELETE FROM geofence_roster_offset")


async def stopped_with(world: World, folder: Path, *people: uuid.UUID) -> None:
    """Let a replica index people inside the area and stop."""
    first, tail = replica(world, folder)
    async with running(tail):
        await world.send(*(place_changed(who, 1, INSIDE) for who in people))
        await first.indexed()
    assert (folder / FILE).exists()


def people_in(world: World) -> int:
    return world.roster.view().count(AREA).people


async def test_it_goes_on_where_the_snapshot_ends(world: World, tmp_path: Path) -> None:
    stays, leaves, erased, comes = (uuid.uuid4() for _ in range(4))
    await stopped_with(world, tmp_path, stays, leaves, erased)
    await world.send(place_changed(leaves, 2, OUTSIDE), place_changed(comes, 1, INSIDE))
    await world.send(place_changed(erased, 2, erased=True))
    await world.send_null(erased)
    await tables_lost(world)
    again, tail = replica(world, tmp_path)
    async with running(tail):
        await again.indexed()
        assert people_in(again) == 2
        await world.send(place_changed(erased, 9, INSIDE), place_changed(stays, 1, OUTSIDE))
        await again.indexed()
        assert people_in(again) == 2


async def test_records_before_the_snapshot_are_not_read_again(world: World, tmp_path: Path) -> None:
    """What only the snapshot knows is in the index, before the topic has told anything."""
    who = uuid.uuid4()
    await stopped_with(world, tmp_path, who)
    again, tail = replica(world, tmp_path)
    ends = await world.bus.end_offsets(PLACE_CHANGED)
    topic_id = await world.bus.topic_id(PLACE_CHANGED)
    async with running(tail):
        await again.roster.loaded.wait()
        assert await again.roster.reached(ends, topic_id=topic_id, within_s=0.0)
        assert people_in(again) == 1


async def test_it_is_written_while_the_replica_runs(world: World, tmp_path: Path) -> None:
    """A killed replica leaves the last one; the next goes on from there."""
    first, tail = replica(world, tmp_path, every=timedelta(0))
    people = [uuid.uuid4() for _ in range(20)]

    async def written() -> bool:
        await first.indexed()
        return (tmp_path / FILE).exists()

    async with killed(tail):
        await first.roster.loaded.wait()
        for who in people:
            await world.send(place_changed(who, 1, INSIDE))
            await first.indexed()
        await eventually(written)
        assert people_in(first) == 20
    await tables_lost(world)
    again, tail = replica(world, tmp_path)
    async with running(tail):
        await again.indexed()
        assert people_in(again) == 20


async def test_a_topic_made_again_is_read_from_the_tables(world: World, tmp_path: Path) -> None:
    old, new = uuid.uuid4(), uuid.uuid4()
    await stopped_with(world, tmp_path, old)
    await world.bus.delete_topics([PLACE_CHANGED])
    await world.topic_made_again(PLACE_CHANGED)
    again, tail = replica(world, tmp_path)
    async with running(tail):
        await world.send(place_changed(new, 1, INSIDE))
        await again.indexed()
        # Nobody kept the tables, so that the old one is in the snapshot alone.
        assert people_in(again) == 1


async def test_a_broken_or_old_one_costs_a_look_into_the_tables(
    world: World, tmp_path: Path
) -> None:
    who = uuid.uuid4()
    async with running(world.places()):
        await stopped_with(world, tmp_path, who)
        await world.kept()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-1])
    again, tail = replica(world, tmp_path)
    async with running(tail):
        await again.indexed()
        assert people_in(again) == 1
    clock = StillClock(SystemClock().now() + OLDEST)
    again, tail = replica(world, tmp_path, clock=clock)
    async with running(tail):
        await again.indexed()
        assert people_in(again) == 1
    assert (tmp_path / FILE).exists()
