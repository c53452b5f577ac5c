"""Every order of an alert, a change and a death, played on real servers: nobody lost or twice.

A run has five steps (`audience/resolve.py`): 1 register and commit, 2 read V, 3 wait for V and
resolve, 4 resolve again if that went early, 5 say that it is complete. What can come in between,
and where it is forced:

| what | when | where |
|---|---|---|
| somebody comes, somebody leaves | before, between and after each of the steps | here, each with each |
| the replica dies | after 1, after 2, between chunks, before 5, after 5 before it is noted | here |
| the index is behind | so that 3 goes early and 4 tells the difference | here |
| the same, and the index is built anew | a rebuilt index numbers people anew | test_orders |
| the second look fails in the middle | it is made again as another run | test_early_runs |
| V is read of a topic that is gone, or being made again | 2 | test_topic_made_again |
| the topic is lost and replayed | before, beside and after a run, keeper or index behind | test_topic_made_again, test_ends_and_deaths |
| the alert ends | before its approval, in 3, between 3 and 4, beside a late joiner | test_ends_and_updates, test_ends_and_deaths |
| a newer version comes | in 3, between 3 and 4, beside a late joiner, at the same moment | test_ends_and_updates |
| its time runs out | before 1, in 3, beside a late joiner | test_ends_and_updates, test_ends_and_deaths |
| it is announced again | whole, while early, after any death | here, test_early_runs, test_ends_and_deaths |
| the keeper dies | before its commit, after it and before its offset | test_keep_places, test_ends_and_deaths |
| the relay dies | between acknowledgement and mark, with a late joiner | test_ends_and_updates |
| a process is killed, another is started, partitions move | in the middle of 3 | test_replicas |
| somebody leaves or comes | between the approval and 1, in every order with the keeper's commit | test_leavers |
| a keeper stands still in the gate | so that 1 does not know who leaves by what it keeps | test_leavers |
| all of it in any order | drawn by lot | test_by_lot |
"""  # noqa: E501

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product

import pytest

from shared.events.alert import AlertApproved
from shared.watch import failpoints
from tests.service.geofence.audience.listening import faults
from tests.service.geofence.audience.steps import STEPS, Lagging, Steps, settled, square
from tests.service.geofence.parts import running
from tests.service.geofence.world import OUTSIDE, World, approved, place_changed

DEATHS = (
    "nobody dies",
    "after_registration",
    "after_sight",
    "between_chunks",
    "before_completed",
    "after_completed",
)
INDEXES = ("up to date", "behind")
Order = tuple[str, str, str]
ORDERS: tuple[Order, ...] = tuple(product(STEPS, DEATHS, INDEXES))


@dataclass
class Play:
    """One order over ground of its own: the alert, who has to hear of it and who may."""

    alert: AlertApproved
    spot: tuple[float, float]
    stays: uuid.UUID = field(default_factory=uuid.uuid4)
    comes: uuid.UUID = field(default_factory=uuid.uuid4)
    leaves: uuid.UUID = field(default_factory=uuid.uuid4)
    last: uuid.UUID = field(default_factory=uuid.uuid4)
    wrong: list[str] = field(default_factory=list)

    async def begin(self, world: World) -> None:
        """Let two live there and one elsewhere."""
        await world.send(
            place_changed(self.stays, 1, self.spot),
            place_changed(self.leaves, 1, self.spot),
            place_changed(self.comes, 1, OUTSIDE),
        )

    async def change(self, world: World) -> None:
        """Let somebody come and somebody leave."""
        await world.send(
            place_changed(self.comes, 2, self.spot), place_changed(self.leaves, 2, OUTSIDE)
        )


@pytest.fixture(scope="module")
async def plays(long_world: World) -> Mapping[Order, Play]:
    """All orders, one after the other; then the topics are read once."""
    world, other = long_world, long_world.replica()
    made = {}
    for number, order in enumerate(ORDERS):
        area, spot = square(number)
        made[order] = Play(approved(area=area), spot)
    async with running(world.tail(), other.tail(), world.places(), world.relay()):
        await world.roster.loaded.wait()
        await other.roster.loaded.wait()
        for one in made.values():
            await one.begin(world)
        await world.indexed()
        for order, one in made.items():
            await play(one, world, other, *order)
            await world.send(place_changed(one.last, 1, one.spot))
        await world.kept()
        await world.relayed()
        audiences = await world.all_heard()
    for one in made.values():
        heard = audiences[one.alert.alert_id, one.alert.version]
        one.wrong = faults(heard, must={one.stays, one.comes, one.leaves, one.last}, may=())
    return made


async def play(one: Play, world: World, other: World, when: str, death: str, index: str) -> None:
    """Resolve an alert while somebody comes and somebody leaves; if a replica dies, another does.

    Whoever leaves once the alert is approved has to hear of it, also before it is registered, and
    for all that nobody finds them inside at V.
    """
    one.alert = one.alert.model_copy(update={"approved_at": datetime.now(UTC)})
    steps = Steps(when, lambda: one.change(world))
    behind = Lagging(world.roster) if index == "behind" else None
    resolver = steps.resolver(
        world.seen_by(behind) if behind else world, patience_s=0.0 if behind else 5.0
    )
    await steps.reach("before 1")
    failpoints.arm(f"geofence.{death}=raise@1", environment="development")
    try:
        with suppress(failpoints.FailpointHit):
            await resolver.resolve(one.alert)
        if behind is not None:
            behind.caught_up.set()
            await settled(resolver)
    finally:
        failpoints.arm("", environment="development")
    if death != "nobody dies":
        await steps.resolver(other).resolve(one.alert)
    await steps.reach("after 5")


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(order).replace(" ", "_"))
@pytest.mark.shows("F03", "G8")
async def test_nobody_is_lost_and_nobody_told_twice(
    plays: Mapping[Order, Play], order: Order
) -> None:
    assert plays[order].wrong == []
