"""A claim holds for its lease: who stood still, was replaced or stops sends nothing twice."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.dispatcher.delivery import deliver as deliver_module
from services.dispatcher.delivery import store
from services.dispatcher.delivery.states import DeliveryState, Outcome
from shared.bus.errors import BusUnavailable
from shared.db.session import ALL_TOWNS, Database, Tx
from tests.fakes_provider import FakeProvider
from tests.service.dispatcher.delivery.stage import Stage, asked, hand_over


@pytest.mark.shows("F07")
async def test_a_zombie_s_outcome_does_not_overwrite(stage: Stage) -> None:
    _, (delivery_id,) = await stage.sendable(1)
    (first,) = await stage.claim(delivery_id)
    await stage.run(
        """UPDATE dispatcher_delivery SET state = 'retry_wait', lease_until = NULL, due_at = NULL
           WHERE delivery_id = :id""",
        id=delivery_id,
    )
    (second,) = await stage.claim(delivery_id)
    assert (first.epoch, second.epoch) == (1, 2)
    for state in (DeliveryState.FAILED, DeliveryState.ACCEPTED, DeliveryState.PENDING):
        outcome = Outcome(delivery_id, first.epoch, state, "zombie", sid="SID-zombie")
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            assert await store.record_outcomes(tx, [outcome]) == 0
    row = await stage.delivery(delivery_id)
    assert (row["state"], row["sid"], row["epoch"]) == ("sending", None, 2)


@pytest.mark.shows("F07")
async def test_a_process_that_stood_still_does_not_send(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (delivery_id,) = await stage.sendable(1)
    provider = FakeProvider()
    jumps = iter([0.0, 90.0, 90.0, 90.0, 90.0, 90.0])
    now = time.monotonic()

    class Jumping:
        @staticmethod
        def monotonic() -> float:
            return now + next(jumps)

    monkeypatch.setattr(deliver_module, "time", Jumping)
    await hand_over(stage, provider, delivery_id)
    assert provider.ledger == []
    row = await stage.delivery(delivery_id)
    assert (row["state"], row["attempts"]) == ("pending", 0)


@pytest.mark.shows("F06")
async def test_what_is_claimed_and_not_begun_is_given_back(stage: Stage) -> None:
    alert_id, ids = await stage.sendable(6)
    provider = FakeProvider()
    worker = stage.deliverer(provider)
    async with worker:
        provider.gate.clear()
        begun = asyncio.create_task(worker.handle(asked(*ids), priority="urgent"))
        await provider.busy(1)
        worker.stop()
        provider.gate.set()
        await asyncio.gather(begun, return_exceptions=True)
    states = await stage.states(alert_id)
    assert set(states) <= {"accepted", "pending"}
    assert states.get("accepted", 0) == len(provider.ledger)
    again = FakeProvider()
    await hand_over(stage, again, *ids)
    assert await stage.states(alert_id) == {"accepted": 6}
    assert len(again.ledger) + len(provider.ledger) == 6


async def test_a_stopping_worker_claims_nothing(stage: Stage) -> None:
    alert_id, ids = await stage.sendable(2)
    worker = stage.deliverer(FakeProvider())
    async with worker:
        worker.stop()
        with pytest.raises(BusUnavailable):
            await worker.handle(asked(*ids), priority="urgent")
    assert await stage.states(alert_id) == {"pending": 2}


async def test_outcomes_wait_for_the_database(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert_id, ids = await stage.sendable(3)
    fails = iter([ConnectionError("away")] * 2)
    write, written = store.record_outcomes, asyncio.Event()

    async def record(tx: Any, outcomes: Any) -> int:
        error = next(fails, None)
        if error is not None:
            raise error
        written.set()
        return await write(tx, outcomes)

    monkeypatch.setattr(store, "record_outcomes", record)
    worker = stage.deliverer(FakeProvider())
    async with worker:
        await worker.handle(asked(*ids), priority="urgent")
        await asyncio.wait_for(written.wait(), 5)
    assert await stage.states(alert_id) == {"accepted": 3}


class _CommitLost:
    """A database whose next commit fails, as when it goes away at that very moment."""

    def __init__(self, database: Database) -> None:
        self._database, self._lost = database, False

    @asynccontextmanager
    async def transaction(self, *, town: str | None = None) -> AsyncIterator[Tx]:
        async with self._database.transaction(town=town) as tx:
            yield tx
            if not self._lost:
                self._lost = True
                raise ConnectionError("gone at the commit")


@pytest.mark.shows("F17", "D6", "goal:G2")
async def test_a_claim_whose_commit_failed_gives_nothing_back(stage: Stage) -> None:
    """Somebody else has claimed it by then, under the same epoch, and is sending it."""
    _, (delivery_id,) = await stage.sendable(1)
    provider = FakeProvider()
    worker = stage.deliverer(provider, database=_CommitLost(stage.database))
    async with worker:
        with pytest.raises(ConnectionError):
            await worker.handle(asked(delivery_id), priority="urgent")
        (other,) = await stage.claim(delivery_id)
        assert other.epoch == 1
    # The worker is gone and has written all it had to say.
    row = await stage.delivery(delivery_id)
    assert (row["state"], row["epoch"], provider.ledger) == ("sending", 1, [])
