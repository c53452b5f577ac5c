"""Who leaves an area under a live alert is told, whatever else comes in the same batch."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import pytest

from services.geofence.areas.area import unpack
from services.geofence.audience.keep_places import keep_places
from services.geofence.audience.late_joiners import Areas
from services.geofence.audience.store import Sight, register
from shared.bus.message import Message
from shared.bus.outbox import Outbox
from shared.clock import SystemClock
from shared.events.alert import AlertApproved
from shared.events.subscriber import PlaceChanged
from shared.events.topics import PLACE_CHANGED
from tests.service.geofence.parts import running
from tests.service.geofence.world import INSIDE, OUTSIDE, World, approved, place_changed

TOPIC, BESIDE = "the topic", (-72.598, 41.6)
# Versions of one resident's places and where they are, a batch each.
Batches = tuple[tuple[tuple[int, str], ...], ...]


@dataclass(frozen=True)
class Case:
    """What was kept before an alert was registered, where the roster ended then, what came."""

    kept: Batches
    since: int
    comes: Batches
    told: str = ""
    certain: bool = True


CASES = {
    "left": Case((((1, "in"),),), 1, (((2, "out"),),), "inside"),
    "is nowhere any more": Case((((1, "in"),),), 1, (((2, "nowhere"),),), "inside"),
    "left the surroundings": Case((((1, "beside"),),), 1, (((2, "out"),),), "by_uncertainty"),
    "left, and was back and gone again": Case(
        (((1, "in"),),), 1, (((2, "out"),), ((3, "in"),), ((4, "out"),)), "inside"
    ),
    "came before and left after, in one batch": Case((), 1, (((1, "in"), (2, "out")),), "inside"),
    "came and left after, in one batch": Case((), 0, (((1, "in"), (2, "out")),), "inside"),
    "came and left before, in one batch with later": Case(
        (), 2, (((1, "in"), (2, "out"), (3, "out")),)
    ),
    "left before, kept after": Case((((1, "in"),),), 2, (((2, "out"),), ((3, "out"),))),
    "left, nobody knows when": Case((((1, "in"),),), 5, (((2, "out"),),), "inside", certain=False),
    "was inside in versions long past": Case(
        (((3, "out"),),), 1, (((1, "in"), (2, "in"), (4, "out")),)
    ),
    "is forgotten": Case((((1, "in"),),), 1, (((2, "erased"),),)),
    "left and is forgotten, in one batch": Case((((1, "in"),),), 1, (((2, "out"), (3, "erased")),)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=[name.replace(" ", "_") for name in CASES])
@pytest.mark.shows("G8")
async def test_a_resident_who(world: World, case: Case) -> None:
    who, alert, offsets = uuid.uuid4(), approved(), count()
    await keep(world, who, case.kept, offsets=offsets)
    await _register(world, alert, since=case.since)
    await keep(world, who, case.comes, offsets=offsets, certain=case.certain)
    async with running(world.relay()):
        await world.relayed()
    chunks = (await world.heard(alert)).chunks
    told = [member for chunk in chunks for member in chunk.members()]
    assert told == ([(who, case.told)] if case.told else [])
    assert all(chunk.late for chunk in chunks)


async def keep(
    world: World, who: uuid.UUID, batches: Batches, *, offsets: "count[int]", certain: bool = True
) -> None:
    """Keep batches of one resident's changes, as the keeper does."""
    outbox = Outbox("geofence", signer=world.keys.signer, clock=SystemClock())
    areas = Areas()
    for batch in batches:
        messages = [_message(_change(who, *one), offset=next(offsets)) for one in batch]
        async with world.database.transaction() as tx:
            await keep_places(
                tx, messages, topic_id=TOPIC, areas=areas, outbox=outbox, certain=certain
            )


def _change(who: uuid.UUID, version: int, where: str) -> PlaceChanged:
    spots: dict[str, Sequence[tuple[float, float]]] = {
        "in": [OUTSIDE, INSIDE],
        "out": [OUTSIDE],
        "beside": [BESIDE],
    }
    return place_changed(
        who,
        version,
        *spots.get(where, ()),
        erased=where == "erased",
        uncertainty_m=300 if where == "beside" else 0,
    )


def _message(event: PlaceChanged, *, offset: int) -> Message:
    return Message(PLACE_CHANGED, 0, offset, 0, str(event.subscriber_id).encode(), None, event)


async def _register(world: World, alert: AlertApproved, *, since: int) -> None:
    area = unpack(alert.area_wkb, digest=alert.area_digest)
    async with world.database.transaction() as tx:
        await register(
            tx,
            alert_id=alert.alert_id,
            version=alert.version,
            wkb=area.wkb,
            digest=area.digest,
            expires_at=alert.expires_at,
            since=Sight(TOPIC, {0: since}),
        )
