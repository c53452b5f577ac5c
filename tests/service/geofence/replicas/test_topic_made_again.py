"""The roster topic is lost and made again, at the worst of moments: nobody goes missing by it."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping

import pytest

from shared.bus.message import Message
from shared.events.topics import PLACE_CHANGED
from tests.service.geofence.audience.listening import faults
from tests.service.geofence.audience.steps import Between, Lagging, Steps, settled
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.world import AREA, INSIDE, OUTSIDE, World, approved, place_changed

KEPT = "SELECT partition, next_offset FROM geofence_roster_offset WHERE topic_id = :id"


async def come(world: World, number: int) -> set[uuid.UUID]:
    """Let some people come to live inside."""
    people = [uuid.uuid4() for _ in range(number)]
    await world.send_many([place_changed(who, 1, INSIDE) for who in people])
    return set(people)


async def records(world: World) -> dict[int, list[Message]]:
    """Return what the roster topic holds, by partition."""
    found: defaultdict[int, list[Message]] = defaultdict(list)
    ends = await world.bus.end_offsets(PLACE_CHANGED)
    async with await world.bus.tail(PLACE_CHANGED, verifier=world.keys.verifier) as tail:
        while any(tail.positions()[one] < end for one, end in ends.items()):
            async for batch in tail.poll():
                found[batch.partition] += batch.messages
    return found


async def lose(world: World) -> None:
    """Lose the roster topic, and make it again."""
    await world.bus.delete_topics([PLACE_CHANGED])
    await world.topic_made_again(PLACE_CHANGED)


async def kept_offsets(world: World) -> dict[object, object]:
    """Return the offsets kept of the topic there is."""
    rows = await world.rows(KEPT, id=await world.bus.topic_id(PLACE_CHANGED))
    return {row["partition"]: row["next_offset"] for row in rows}


async def all_are_found(world: World, people: Collection[uuid.UUID]) -> None:
    """Check tables, an index that starts now, and an alert that it resolves."""
    assert await world.value("SELECT count(*) FROM geofence_place") == len(people)
    starting, alert = world.replica(), approved()
    async with running(starting.tail()):
        await starting.roster.loaded.wait()
        await starting.indexed()
        assert starting.roster.view().count(AREA).people == len(people)
        await starting.resolver().resolve(alert)
    assert faults(await world.heard(alert), must=people, may=()) == []


@pytest.mark.parametrize("overlap", [0, 2], ids=["at_a_seam", "in_one_batch"])
@pytest.mark.shows("F16")
async def test_a_keeper_that_reads_on_in_the_new_topic_reads_what_it_was_carried_past(
    world: World, overlap: int
) -> None:
    """A consumer paused meanwhile asks for its next offset, and gets that of another topic."""
    keeping = world.keeper()
    before = await come(world, 20)
    lost = await records(world)
    for old in lost.values():
        await keeping.keep(old)
    alert = approved()
    await world.roster_loaded_and_still()
    await world.resolver().resolve(alert)
    await lose(world)
    after = await come(world, 80)
    made = await records(world)
    for partition, new in made.items():
        old = lost[partition]
        await keeping.keep([*old[len(old) - overlap :], *new[len(old) : len(old) + 3]])
        await keeping.keep(new[len(old) + 3 :])
    assert await kept_offsets(world) == await world.bus.end_offsets(PLACE_CHANGED)
    await all_are_found(world, before | after)
    async with running(world.relay()):
        await world.relayed()
    # The alert of before the loss hears of everybody who came after it, once.
    audience = await world.heard(alert)
    assert faults(audience, must=before | after, may=()) == []
    assert audience.members(late=True) == after


@pytest.mark.shows("F16")
async def test_what_was_read_of_the_lost_topic_is_kept_and_says_nothing_of_the_new_one(
    world: World,
) -> None:
    """Offsets of the lost topic under the name of the new one would hide records from an index."""
    before = await come(world, 20)
    lost = await records(world)
    await lose(world)
    after = await come(world, 80)
    keeping = world.keeper()
    for old in lost.values():
        await keeping.keep(old)
    assert await kept_offsets(world) == {}
    starting = world.replica()
    async with running(starting.tail()):
        await starting.roster.loaded.wait()
        await starting.indexed()
        assert starting.roster.view().count(AREA).people == 100
    for new in (await records(world)).values():
        await keeping.keep(new)
    await all_are_found(world, before | after)


@pytest.mark.shows("F16")
async def test_a_keeper_that_starts_again_is_held_to_the_tables_not_to_its_group(
    world: World,
) -> None:
    """What the group says was read need not be in the tables: they may come from a backup."""
    people = await come(world, 40)
    for some in (await records(world)).values():
        await world.keeper().keep(some[:3])
        await world.keeper().keep(some[10:])
    assert await kept_offsets(world) == await world.bus.end_offsets(PLACE_CHANGED)
    await all_are_found(world, people)


@pytest.mark.shows("F16", "G8")
async def test_a_new_topic_just_as_long_as_the_lost_one_was_read_is_kept_all_the_same(
    world: World,
) -> None:
    """The consumer waits for the next record; nothing would tell it that it missed any."""
    people = [uuid.uuid4() for _ in range(20)]
    keeping, alert = world.keeper(), approved()
    await world.send_many([place_changed(who, 1, OUTSIDE) for who in people])
    for old in (await records(world)).values():
        await keeping.keep(old)
    await world.roster_loaded_and_still()
    await world.resolver().resolve(alert)
    ends = await world.bus.end_offsets(PLACE_CHANGED)
    await lose(world)
    await world.send_many([place_changed(who, 2, INSIDE) for who in people])
    assert await world.bus.end_offsets(PLACE_CHANGED) == ends
    async with running(keeping, world.relay()):
        await world.kept()
        await world.relayed()
    audience = await world.heard(alert)
    assert faults(audience, must=people, may=()) == []
    assert audience.members(late=True) == set(people)


@pytest.mark.shows("F16", "G8")
async def test_v_is_never_of_two_topics(world: World) -> None:
    """The topic is made again between the two answers that V is made of."""
    before = await come(world, 10)
    moved: list[set[uuid.UUID]] = []

    async def made_again() -> None:
        if not moved:
            await lose(world)
            moved.append(await come(world, 3))

    alert = approved()
    async with running(world.places(), world.tail(), world.relay()):
        await world.roster.loaded.wait()
        await world.kept()
        resolver = world.resolver(bus=Between(world.bus, after=made_again), patience_s=0.0)
        await resolver.resolve(alert)
        await settled(resolver)
        await world.kept()
        await world.relayed()
    audience = await world.heard(alert)
    (run,) = audience.completed
    assert run.roster_topic_id == await world.bus.topic_id(PLACE_CHANGED)
    assert sum(run.roster_offsets.values()) == 3
    assert faults(audience, must=before | moved[0], may=()) == []


class Misled(Lagging):
    """An index that reads on in the new topic, and takes its offsets for those of the lost one."""

    async def reached(
        self, offsets: Mapping[int, int], *, topic_id: str, within_s: float | None
    ) -> bool:
        """Say that it is as far as the lost topic ever was."""
        if topic_id == self.lost:
            return True
        self.caught_up.set()
        return await super().reached(offsets, topic_id=topic_id, within_s=within_s)

    lost = ""


@pytest.mark.shows("F16", "G8")
async def test_an_index_that_passes_v_in_another_topic_completes_no_run(world: World) -> None:
    before, unseen, after = await come(world, 10), set[uuid.UUID](), set[uuid.UUID]()

    async def made_again() -> None:
        await lose(world)
        await world.send_many([place_changed(who, 1, INSIDE) for who in unseen])
        after.update(await come(world, 5))

    async with running(world.places(), world.tail(), world.relay()):
        await world.roster.loaded.wait()
        await world.indexed()
        misled = Misled(world.roster)
        misled.lost = await world.bus.topic_id(PLACE_CHANGED)
        unseen |= await come(world, 5)
        # Kept before the alert is registered, they are the run's to tell and nobody else's.
        await world.kept()
        alert = approved()
        resolver = Steps("in 3", made_again).resolver(world.seen_by(misled))
        await resolver.resolve(alert)
        await settled(resolver)
        await world.kept()
        await world.relayed()
    audience = await world.heard(alert)
    (run,) = audience.completed
    assert run.roster_topic_id == await world.bus.topic_id(PLACE_CHANGED) != misled.lost
    assert faults(audience, must=before | unseen | after, may=()) == []
    assert audience.members(late=False) >= unseen


@pytest.mark.shows("F16", "G8")
async def test_no_warning_waits_for_a_roster_topic_that_is_gone(world: World) -> None:
    before = await come(world, 10)
    alert = approved()
    async with running(world.places(), world.tail()):
        await world.roster.loaded.wait()
        await world.kept()
        await world.indexed()
    await world.bus.delete_topics([PLACE_CHANGED])
    resolver = world.resolver()
    async with running(resolver):
        await resolver.resolve(alert)
        early = await world.heard(alert)
        assert early.members() == before
        assert early.completed == []
        await world.topic_made_again(PLACE_CHANGED)
        after = await come(world, 5)
        async with running(world.places(), world.tail(), world.relay()):
            await eventually(lambda: _is_completed(world, alert.alert_id))
            await world.kept()
            await world.relayed()
    assert faults(await world.heard(alert), must=before | after, may=()) == []


@pytest.mark.shows("F16", "G8")
async def test_an_index_that_follows_the_lost_topic_is_not_taken_for_one_of_the_new(
    world: World,
) -> None:
    """It stands further along than the new topic is long: its offsets say nothing any more."""
    before = await come(world, 60)
    async with running(world.places(), world.tail()):
        await world.roster.loaded.wait()
        await world.kept()
        await world.indexed()
    await lose(world)
    after = await come(world, 6)
    alert = approved()
    resolver = world.resolver(patience_s=0.0)
    async with running(world.places(), resolver):
        await world.kept()
        await resolver.resolve(alert)
        assert (await world.heard(alert)).completed == []
        async with running(world.tail()):
            await eventually(lambda: _is_completed(world, alert.alert_id))
    assert faults(await world.heard(alert), must=before | after, may=()) == []


async def _is_completed(world: World, alert_id: uuid.UUID) -> bool:
    return bool((await world.all_heard())[alert_id, 1].completed)
