"""The place tables follow the roster: newest version, erased for ever, offsets beside the rows."""

import uuid

import pytest

from services.geofence.index.load_index import load_index
from shared.events.topics import PLACE_CHANGED
from shared.watch import failpoints
from tests.service.geofence.parts import running
from tests.service.geofence.world import AREA, INSIDE, OUTSIDE, World, place_changed

PLACES = "SELECT subscriber_id, lon FROM geofence_place ORDER BY lon"


@pytest.mark.shows("bad:K14")
async def test_the_whole_set_of_places_is_replaced_by_newer_versions_only(world: World) -> None:
    who = uuid.uuid4()
    async with running(world.places()):
        await world.send(place_changed(who, 1, INSIDE, OUTSIDE))
        await world.kept()
        assert [row["lon"] for row in await world.rows(PLACES)] == [OUTSIDE[0], INSIDE[0]]
        await world.send(place_changed(who, 3, INSIDE), place_changed(who, 2, OUTSIDE))
        await world.kept()
    assert [row["lon"] for row in await world.rows(PLACES)] == [INSIDE[0]]
    assert await world.value("SELECT version FROM geofence_resident") == 3


async def test_erased_residents_stay_erased_as_id_and_version(world: World) -> None:
    told, null_alone = uuid.uuid4(), uuid.uuid4()
    async with running(world.places()):
        await world.send(place_changed(told, 1, INSIDE), place_changed(null_alone, 1, INSIDE))
        await world.kept()
        await world.send(place_changed(told, 2, erased=True))
        await world.send_null(told)
        await world.send_null(null_alone)
        await world.send(place_changed(told, 1, INSIDE), place_changed(null_alone, 1, INSIDE))
        await world.send(place_changed(told, 9, INSIDE), place_changed(null_alone, 9, INSIDE))
        await world.kept()
    assert await world.rows(PLACES) == []
    kept = await world.rows("SELECT erased, channels, language FROM geofence_resident")
    assert kept == [{"erased": True, "channels": 0, "language": ""}] * 2


async def test_rows_and_offsets_are_written_together_or_not_at_all(world: World) -> None:
    failpoints.arm("geofence.before_places_commit=raise@1", environment="development")
    try:
        # The consumer is to come to the record, however slow it is, and not who looks round.
        async with running(world.places(look_round_s=60)):
            await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
            await world.kept()
    finally:
        failpoints.arm("", environment="development")
    assert len(await world.rows(PLACES)) == 1


async def test_an_index_starts_from_rows_and_offsets_of_one_moment(world: World) -> None:
    people = [uuid.uuid4() for _ in range(30)]
    async with running(world.places()):
        await world.send(*(place_changed(who, 1, INSIDE, OUTSIDE) for who in people))
        await world.send(place_changed(people[0], 2, erased=True))
        await world.kept()
    topic_id = await world.bus.topic_id(PLACE_CHANGED)
    async with world.database.transaction() as tx:
        loaded = await load_index(tx, topic_id=topic_id)
    count = loaded.index.view().count(AREA)
    assert (count.people, count.places) == (29, 29)
    assert loaded.offsets == await world.bus.end_offsets(PLACE_CHANGED)
    async with world.database.transaction() as tx:
        other = await load_index(tx, topic_id="another topic")
    assert other.offsets == {}


async def test_many_residents_in_one_batch(world: World) -> None:
    people = [uuid.uuid4() for _ in range(1_200)]
    async with running(world.places(), world.tail()):
        await world.send(*(place_changed(who, 1, INSIDE) for who in people))
        await world.kept()
        await world.indexed()
    assert await world.value("SELECT count(*) FROM geofence_place") == 1_200
    assert world.roster.view().count(AREA).people == 1_200
