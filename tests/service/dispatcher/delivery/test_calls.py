"""Calls to one number are made one after the other: nothing but time tells them apart later."""

import asyncio
from uuid import UUID, uuid4

import pytest

from services.dispatcher.delivery import store_due
from services.dispatcher.delivery.claims import store
from services.dispatcher.delivery.states import DeliveryState, Outcome
from services.dispatcher.delivery.store import record_outcomes
from shared.db.session import ALL_TOWNS
from tests.service.dispatcher.delivery.stage import Stage

# Longer than a call can take to be listed.
LONG_AGO_S = 70


@pytest.fixture
async def household(stage: Stage) -> UUID:
    """Somebody with a landline."""
    resident = uuid4()
    await stage.keep(stage.card(resident, ("voice", f"+1860555{resident.int % 10**4:04}")))
    return resident


async def a_call(stage: Stage, household: UUID, **changes: str) -> UUID:
    """Raise an alert that is to ring the line; return its delivery."""
    alert_id = await stage.broadcast(**changes)
    (made,) = (await stage.fan_out(alert_id, [household])).requests
    return made.delivery_id


async def claimed(stage: Stage, *ids: UUID) -> list[UUID]:
    return [one.delivery_id for one in await stage.claim(*ids, channel="voice")]


async def settle(stage: Stage, delivery_id: UUID, state: DeliveryState) -> None:
    epoch = (await stage.delivery(delivery_id))["epoch"]
    sid = f"CA-{delivery_id}" if state == DeliveryState.ACCEPTED else None
    outcome = Outcome(delivery_id, epoch, state, "test", sid=sid, due_in_s=5.0)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        assert await record_outcomes(tx, [outcome]) == 1


async def come_due(stage: Stage, delivery_id: UUID) -> None:
    """Let the time pass after which a call is looked at again."""
    changed = await stage.run(
        "UPDATE dispatcher_delivery SET due_at = now() WHERE delivery_id = :id AND due_at > now()",
        id=delivery_id,
    )
    assert changed == 1


@pytest.mark.shows("D6", "goal:G1")
@pytest.mark.parametrize("known", [DeliveryState.ACCEPTED, DeliveryState.FAILED])
async def test_the_second_alert_rings_when_the_first_is_known(
    stage: Stage, household: UUID, known: DeliveryState
) -> None:
    first, second = [await a_call(stage, household) for _ in range(2)]
    assert await claimed(stage, first) == [first]
    assert await claimed(stage, second) == []
    waiting = await stage.delivery(second)
    assert (waiting["state"], waiting["attempts"], waiting["epoch"]) == ("pending", 0, 0)
    await settle(stage, first, DeliveryState.UNKNOWN)
    await come_due(stage, second)
    assert await claimed(stage, second) == []
    await settle(stage, first, known)
    await come_due(stage, second)
    # It is asked for again by the clock, as whatever else is due.
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        due = [one.delivery_id for one in await store_due.take_due(tx, limit=10)]
    assert second in due
    assert await claimed(stage, second) == [second]


async def test_two_calls_asked_for_together_are_made_in_turn(stage: Stage, household: UUID) -> None:
    first, second = [await a_call(stage, household) for _ in range(2)]
    assert await claimed(stage, second, first) == [first]
    assert (await stage.delivery(second))["state"] == "pending"


async def test_a_call_that_no_look_up_found_may_still_turn_up(
    stage: Stage, household: UUID
) -> None:
    """Its own next attempt need not wait for that; the next alert's call does."""
    first, second = [await a_call(stage, household) for _ in range(2)]
    await claimed(stage, first)
    await settle(stage, first, DeliveryState.UNKNOWN)
    epoch = (await stage.delivery(first))["epoch"]
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        assert await store_due.give_up(tx, [(first, epoch)]) == 1
    assert await claimed(stage, second) == []
    await come_due(stage, first)
    assert await claimed(stage, first) == [first]
    await settle(stage, first, DeliveryState.ACCEPTED)
    await come_due(stage, second)
    assert await claimed(stage, second) == []
    await stage.run(
        """UPDATE dispatcher_attempt SET started_at = now() - make_interval(secs => :ago)
           WHERE delivery_id = :id""",
        id=first, ago=LONG_AGO_S,
    )  # fmt: skip
    await come_due(stage, second)
    assert await claimed(stage, second) == [second]


async def test_two_workers_beside_each_other_make_one_call(stage: Stage, household: UUID) -> None:
    """The one that comes second waits until it can see what the first has claimed."""
    first, second = [await a_call(stage, household) for _ in range(2)]
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await store.lock_lines(tx, [first])
        other = asyncio.create_task(stage.claim(second, channel="voice"))
        waiting = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(20):
            while not (await stage.rows(waiting))[0]["n"]:
                assert not other.done()
        assert len(await store.claim(tx, [first], provider="fake")) == 1
    assert await other == []


async def test_a_call_nobody_can_tell_of_holds_the_line_for_a_minute(
    stage: Stage, household: UUID
) -> None:
    """Later it can no longer be mistaken for another, so a newer warning waits no longer."""
    first, second = [await a_call(stage, household) for _ in range(2)]
    await claimed(stage, first)
    await settle(stage, first, DeliveryState.UNKNOWN)
    await stage.run(
        """UPDATE dispatcher_attempt SET started_at = now() - make_interval(secs => :ago)
           WHERE delivery_id = :id""",
        id=first, ago=LONG_AGO_S,
    )  # fmt: skip
    assert await claimed(stage, second) == [second]


async def test_exercises_neither_wait_nor_keep_anybody_waiting(
    stage: Stage, household: UUID
) -> None:
    drill = await a_call(stage, household, priority="exercise")
    assert await claimed(stage, drill) == [drill]
    real = await a_call(stage, household)
    assert await claimed(stage, real) == [real]
    again = await a_call(stage, household, priority="exercise")
    assert await claimed(stage, again) == [again]


async def test_a_stopped_alert_is_closed_whatever_rings(stage: Stage, household: UUID) -> None:
    first, second = [await a_call(stage, household) for _ in range(2)]
    await claimed(stage, first)
    await stage.run(
        """UPDATE dispatcher_broadcast AS b SET state = 'stopped' FROM dispatcher_delivery AS d
           WHERE d.delivery_id = :id AND b.alert_id = d.alert_id""",
        id=second,
    )
    assert await claimed(stage, second) == []
    assert (await stage.delivery(second))["state"] == "cancelled"
