"""Who is inside at an alert's approval, or since its registration, and leaves is told of it."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy.exc import DBAPIError

from services.geofence.areas.area import normalise
from services.geofence.audience.go_live import go_live
from services.geofence.audience.keep_places import keep_places
from services.geofence.audience.late_joiners import Areas
from services.geofence.audience.leavers import store
from services.geofence.audience.leavers.store import close_gate, left_after
from services.geofence.audience.leavers.timers import ForgettingLeft
from services.geofence.audience.run import Run
from services.geofence.audience.store import Sight
from shared.bus.message import Message
from shared.db.session import Tx, execute, fetch_value, is_transient
from shared.events.envelope import Envelope
from shared.events.subscriber import PlaceChanged
from shared.events.topics import PLACE_CHANGED
from tests.service.geofence.audience.listening import Audience, faults
from tests.service.geofence.audience.steps import settled, square
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.world import OUTSIDE, World, approved, place_changed

TOPIC = "the topic"
# A version of one resident's places, where they are, and in which second after the approval.
Was = tuple[int, str, int]
Batch = tuple[Was, ...]
LEFT_SPOTS = "SELECT subscriber_id FROM geofence_left_spot"


@dataclass(frozen=True)
class Case:
    """What was kept before an alert was registered, where the roster ended then, what came."""

    kept: tuple[Batch, ...]
    since: int
    comes: tuple[Batch, ...] = ()
    told: str = ""
    certain: bool = True


class Play:
    """One resident, and an alert approved a minute ago, over ground of their own."""

    def __init__(self, number: int) -> None:
        area, self.spot = square(number)
        self.area = normalise([area])
        then = datetime.now(UTC) - timedelta(minutes=1)
        self.alert = approved(area=area).model_copy(update={"approved_at": then})
        self.who = uuid.uuid4()
        self._offsets = count()

    async def keep(self, world: World, *batches: Batch, certain: bool = True) -> None:
        """Keep batches of changes, as the keeper does."""
        for batch in batches:
            async with world.database.transaction() as tx:
                await self.keep_in(world, tx, batch, certain=certain)

    async def keep_in(self, world: World, tx: Tx, batch: Batch, *, certain: bool = True) -> None:
        """Keep a batch of changes in an open transaction."""
        messages = [self._message(*was) for was in batch]
        await keep_places(
            tx, messages, topic_id=TOPIC, areas=Areas(), outbox=world.outbox(), certain=certain
        )

    async def register(self, world: World, *, since: int) -> None:
        """Let the alert go live, as a resolver does that saw the roster end somewhere."""
        async with world.database.transaction() as tx:
            await self.go_live_in(tx, since=since)
        await self.tell_left(world)

    async def tell_left(self, world: World) -> None:
        """Let a run of the alert tell who has left."""
        async with world.database.transaction() as tx:
            bounds = self.area.geometry.bounds
            left = await left_after(tx, self.alert.approved_at, bounds=bounds)
        await Run(uuid.uuid4(), self.alert, self.area, world.publish()).publish_left(left)

    async def go_live_in(self, tx: Tx, *, since: int) -> None:
        """Let the alert go live in an open transaction."""
        gone_live = await go_live(
            tx,
            self.alert,
            self.area,
            run_id=uuid.uuid4(),
            since=Sight(TOPIC, {0: since}),
            patience_s=20.0,
        )
        assert gone_live.knows_leavers

    def told(self, audience: Audience) -> list[str]:
        """Return why the resident was told, by each run and as a late joiner once at most."""
        chunks = [
            (one.late or one.run_id, *pair) for one in audience.chunks for pair in one.members()
        ]
        assert {who for _, who, _ in chunks} <= {self.who}
        assert len(chunks) == len({by for by, _, _ in chunks})
        return sorted({why for _, _, why in chunks})

    def _message(self, version: int, where: str, second: int) -> Message:
        """Make a record that was sent long after what it says happened."""
        envelope = Envelope(
            id=uuid.uuid4(),
            type=PlaceChanged.TYPE,
            version=PlaceChanged.VERSION,
            occurred_at=self.alert.approved_at + timedelta(seconds=second),
            producer="subscriber",
        )
        lon, lat = self.spot
        spots = {"in": [OUTSIDE, self.spot], "out": [OUTSIDE], "beside": [(lon + 0.007, lat)]}
        event = place_changed(
            self.who,
            version,
            *spots.get(where, ()),
            erased=where == "erased",
            uncertainty_m=300 if where == "beside" else 0,
        )
        sent_ms, key = round(datetime.now(UTC).timestamp() * 1000), str(self.who).encode()
        return Message(PLACE_CHANGED, 0, next(self._offsets), sent_ms, key, envelope, event)


IN: Batch = ((1, "in", -9),)
CASES = {
    "left": Case((IN,), 1, (((2, "out", 9),),), "inside"),
    "is nowhere any more": Case((IN,), 1, (((2, "nowhere", 9),),), "inside"),
    "left the surroundings": Case(
        (((1, "beside", -9),),), 1, (((2, "out", 9),),), "by_uncertainty"
    ),
    "left, and was back and gone again": Case(
        (IN,), 1, (((2, "out", 7),), ((3, "in", 8),), ((4, "out", 9),)), "inside"
    ),
    "came before and left after, in one batch": Case((), 1, ((*IN, (2, "out", 9)),), "inside"),
    "came and left after, in one batch": Case((), 0, (((1, "in", 8), (2, "out", 9)),), "inside"),
    "came and left between, in one batch with later": Case(
        (), 2, (((1, "in", 1), (2, "out", 2), (3, "out", 9)),)
    ),
    "left, nobody knows when": Case((IN,), 5, (((2, "out", -1),),), "inside", certain=False),
    "was inside in versions long past": Case(
        (((3, "out", -9),),), 1, (((1, "in", 7), (2, "in", 8), (4, "out", 9)),)
    ),
    "is forgotten": Case((IN,), 1, (((2, "erased", 9),),)),
    "left and is forgotten, in one batch": Case((IN,), 1, (((2, "out", 8), (3, "erased", 9)),)),
    # Between the approval and the registration, and kept before that.
    "left between": Case((IN, ((2, "out", 1),)), 2, (), "inside"),
    "left the surroundings between": Case(
        (((1, "beside", -9),), ((2, "out", 1),)), 2, (), "by_uncertainty"
    ),
    "came and left between, in one batch": Case(((*IN, (2, "out", 1)),), 2, (), "inside"),
    "left, came back and left again between": Case(
        (IN, ((2, "out", 1),), ((3, "in", 2), (4, "out", 3))), 4, (), "inside"
    ),
    "left between and again after": Case(
        (IN, ((2, "out", 1),), ((3, "in", 2),)), 3, (((4, "out", 9),),), "inside"
    ),
    "was told of a new language before leaving between": Case(
        (IN, ((2, "in", 1),), ((3, "out", 2),)), 3, (), "inside"
    ),
    "left before the approval": Case((IN, ((2, "out", -1),)), 2),
    "left before the approval and was back for a moment between": Case(
        (IN, ((2, "out", -1),), ((3, "in", 1),), ((4, "out", 2),)), 4
    ),
    "came and left between": Case((((1, "out", -9),), ((2, "in", 1),), ((3, "out", 2),)), 3),
    "left between and is forgotten": Case((IN, ((2, "out", 1),), ((3, "erased", 2),)), 3),
    # Between them too, or before them, but kept after the registration.
    "left between, kept after": Case((IN,), 3, (((2, "out", 1),), ((3, "out", 2),)), "inside"),
    "left before the approval, kept after": Case((IN,), 3, (((2, "out", -1),), ((3, "out", 2),))),
    "came and left between, kept after": Case(
        (((1, "out", -9),),), 3, (((2, "in", 1),), ((3, "out", 2),))
    ),
}


@pytest.fixture(scope="module")
async def heard(long_world: World) -> Mapping[str, list[str]]:
    """All cases, each on ground of its own; then the topic is read once."""
    world, plays = long_world, {name: Play(number) for number, name in enumerate(CASES)}
    for name, case in CASES.items():
        play = plays[name]
        await play.keep(world, *case.kept)
        await play.register(world, since=case.since)
        await play.keep(world, *case.comes, certain=case.certain)
        # Announced again it is registered again: a run tells again, a keeper does not.
        await play.register(world, since=case.since)
    async with running(world.relay()):
        await world.relayed()
    audiences = await world.all_heard()
    return {name: play.told(audiences[play.alert.alert_id, 1]) for name, play in plays.items()}


@pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(" ", "_"))
@pytest.mark.shows("G8")
async def test_a_resident_who(heard: Mapping[str, list[str]], name: str) -> None:
    assert heard[name] == ([CASES[name].told] if CASES[name].told else [])


async def test_only_moves_leave_something_behind_erasure_nothing_and_nothing_for_long(
    world: World,
) -> None:
    stays, leaves, left = plays = [Play(0), Play(1), Play(2)]
    for one in plays:
        await one.keep(world, ((1, "in", -99_999),), ((2, "in", -99_998), (3, "in", -99_997)))
    assert await world.rows(LEFT_SPOTS) == []
    await left.keep(world, ((4, "out", -26 * 3600),))
    await leaves.keep(world, ((4, "out", -24 * 3600),))
    await stays.keep(world, ((4, "out", 1),))
    assert len(await world.rows(LEFT_SPOTS)) == 3
    await ForgettingLeft(database=world.database).forget()
    await stays.keep(world, ((5, "erased", 2),))
    assert await world.rows(LEFT_SPOTS) == [{"subscriber_id": leaves.who}]


@pytest.mark.parametrize("first", ["the alert", "the change"])
@pytest.mark.shows("G8")
async def test_beside_each_other_one_waits_and_sees_the_other(world: World, first: str) -> None:
    play = Play(0)
    await play.keep(world, IN)

    async def leave(tx: Tx) -> None:
        await play.keep_in(world, tx, ((2, "out", 1),))

    async def approve(tx: Tx) -> None:
        # Its end of the roster is behind the change: only by its time is that one known.
        await play.go_live_in(tx, since=2)

    acts = [approve, leave] if first == "the alert" else [leave, approve]
    async with asyncio.timeout(20):
        async with world.database.transaction() as tx:
            await acts[0](tx)
            beside = asyncio.create_task(alone(world, acts[1]))
            await eventually(lambda: _waiting(world))
            assert not beside.done()
        await beside
    if first == "the change":
        await play.tell_left(world)
    async with running(world.relay()):
        await world.relayed()
    assert play.told(await world.heard(play.alert)) == ["inside"]


@pytest.mark.shows("G8")
async def test_a_warning_does_not_wait_for_a_keeper_that_stands_still(world: World) -> None:
    play, stays = Play(0), uuid.uuid4()
    resolver = world.resolver(patience_s=0.05)
    async with running(world.tail()):
        await world.send(place_changed(stays, 1, play.spot))
        await world.roster.loaded.wait()
        await world.indexed()
        await play.keep(world, IN)
        async with world.database.transaction() as tx:
            await play.keep_in(world, tx, ((2, "out", 1),))
            await resolver.resolve(play.alert)
            audience = await world.heard(play.alert)
            assert (audience.members(), audience.completed) == ({stays}, [])
        await settled(resolver)
    async with running(world.relay()):
        await world.relayed()
    audience = await world.heard(play.alert)
    assert faults(audience, must={stays, play.who}, may=()) == []
    assert audience.completed[-1].members == 2


async def test_a_replica_that_freezes_behind_the_gate_does_not_stop_the_keepers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = "SELECT current_setting('idle_in_transaction_session_timeout')"
    async with world.database.transaction() as tx:
        assert await close_gate(tx, within_s=20.0)
        assert await fetch_value(tx, idle) == "3s"
    monkeypatch.setattr(store, "GATE_CLOSED_FOR", "50ms")

    async def freeze(tx: Tx) -> None:
        assert await close_gate(tx, within_s=20.0)
        await execute(tx, "SELECT pg_sleep(20)")

    with pytest.raises(DBAPIError) as ended:
        await alone(world, freeze)
    assert is_transient(ended.value)


async def alone(world: World, act: Callable[[Tx], Awaitable[None]]) -> None:
    """Let something happen in a transaction of its own."""
    async with world.database.transaction() as tx:
        await act(tx)


async def _waiting(world: World) -> bool:
    return bool(await world.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
