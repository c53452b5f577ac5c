"""Orders in which an attempt's own news come twice, late, or after the row was closed."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.dispatcher.delivery import store
from services.dispatcher.delivery.broadcasts.stop_broadcast import stop_broadcast
from services.dispatcher.delivery.raise_states import raise_states
from services.dispatcher.delivery.states import Claimed, DeliveryState, Outcome, StateUpdate, Texts
from services.dispatcher.delivery.timers import Timers
from services.dispatcher.delivery.unknown import give_up
from shared.bus.kafka.bus import Bus
from shared.db.session import ALL_TOWNS
from tests.fakes_provider import FakeRequests
from tests.service.dispatcher.delivery.stage import Stage, open_stage

S = DeliveryState
SORRY = {"en-US": Texts(sms="Not so.", voice="Not so.", email_subject="Not so", email_body="No.")}


@pytest.fixture
async def stage(fresh_database: Any, keyrings: Any) -> AsyncIterator[Stage]:
    async with open_stage(fresh_database("dispatcher"), keyrings) as opened:
        yield opened


async def accepted(stage: Stage, one: Claimed, sid: str = "SID-1") -> None:
    """Write that the provider took it."""
    record = Outcome(one.delivery_id, one.epoch, S.ACCEPTED, "accepted", provider="fake", sid=sid)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await store.record_outcomes(tx, [record])


async def receipt(stage: Stage, one: Claimed, state: DeliveryState, sid: str = "SID-1") -> str:
    """Settle a receipt of the attempt."""
    update = StateUpdate(one.delivery_id, state, "fake", sid, epoch=one.epoch, retry_in_s=0.0)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        return (await raise_states(tx, [update]))[0]


async def claimed(stage: Stage) -> tuple[UUID, Claimed]:
    """Claim the one delivery of a new alert."""
    alert_id, (delivery_id,) = await stage.sendable(1)
    (one,) = await stage.claim(delivery_id)
    return alert_id, one


@pytest.mark.shows("F27")
async def test_a_failure_reported_before_the_outcome_is_written_is_still_tried_again(
    stage: Stage,
) -> None:
    _, one = await claimed(stage)
    assert await receipt(stage, one, S.RETRY_WAIT) == "moved"
    await accepted(stage, one)
    row = await stage.delivery(one.delivery_id)
    assert (row["state"], row["sid"], row["attempts"]) == ("retry_wait", None, 1)
    (again,) = await stage.claim(one.delivery_id)
    assert again.epoch > one.epoch
    await accepted(stage, again, "SID-2")
    assert await receipt(stage, one, S.UNDELIVERED) == "evidence"
    assert await receipt(stage, again, S.DELIVERED, "SID-2") == "moved"
    assert (await stage.delivery(one.delivery_id))["attempts"] == 2


@pytest.mark.shows("F27")
async def test_an_outcome_written_twice_takes_no_retry_back(stage: Stage) -> None:
    """A flush whose commit was answered by a broken connection writes its rows once more."""
    _, one = await claimed(stage)
    await accepted(stage, one)
    assert await receipt(stage, one, S.RETRY_WAIT) == "moved"
    await accepted(stage, one)
    assert (await stage.delivery(one.delivery_id))["state"] == "retry_wait"
    assert await receipt(stage, one, S.DELIVERED) == "moved"  # good news of it still count


@pytest.mark.parametrize("by", ["outcome", "receipt"])
@pytest.mark.shows("F36", "F07")
async def test_what_was_closed_as_unknown_and_turns_out_accepted_is_corrected(
    stage: Stage, by: str
) -> None:
    """A frozen process wakes after its row was given up: the text is out, so is its correction."""
    alert_id, one = await claimed(stage)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await stop_broadcast(tx, alert_id=alert_id, version=1, reason="error", correction=SORRY)
    await stage.run("UPDATE dispatcher_delivery SET lease_until = now() - interval '1 s'")
    requests = FakeRequests(stage.database)
    timers = Timers(stage.database, bus=Bus("127.0.0.1:1"), requests=requests)
    assert await timers.end_leases() == 1
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await give_up(tx, [(one.delivery_id, one.epoch)])
    await timers.close()
    assert await timers.add_corrections() == 0
    if by == "outcome":
        await accepted(stage, one)
    else:
        assert await receipt(stage, one, S.DELIVERED) == "evidence"
    row = await stage.delivery(one.delivery_id)
    assert (row["state"], row["sid"]) == ("cancelled", "SID-1")
    assert row["handed_over_at"] is not None
    assert await timers.add_corrections() == 1


async def test_bad_news_hand_nothing_over(stage: Stage) -> None:
    _, one = await claimed(stage)
    await stage.run("UPDATE dispatcher_delivery SET state = 'expired', rank = 3")
    assert await receipt(stage, one, S.UNDELIVERED) == "evidence"
    assert (await stage.delivery(one.delivery_id))["handed_over_at"] is None
