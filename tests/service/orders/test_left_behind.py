"""What comes while nobody looks, or behind what cannot be done, is found all the same."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.dispatcher.alerts import store
from services.dispatcher.delivery.broadcasts.stop_broadcast import stop_broadcast
from services.dispatcher.delivery.claims.claim import claim
from services.dispatcher.delivery.states import DeliveryState, Outcome
from services.dispatcher.delivery.store import record_outcomes
from services.dispatcher.recipients.fan_out import fan_out
from services.dispatcher.recipients.timers import timers
from shared.db.session import ALL_TOWNS, execute
from tests.service.dispatcher.alerts.desk import Desk, do_once, open_desk
from tests.service.dispatcher.delivery.stage import Stage, chunk_of


@pytest.fixture
async def desk(fresh_database: Callable[[str], Any], keyrings: Any) -> AsyncIterator[Desk]:
    async with open_desk(fresh_database("dispatcher"), keyrings) as desk:
        yield desk


async def test_late_joiners_do_not_hide_that_a_run_has_died(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    await desk.run("UPDATE dispatcher_alert SET announced_at = now() - interval '1 minute'")
    for origin in ("late", "completion"):
        await desk.run(
            """INSERT INTO dispatcher_chunk
                 (chunk_id, alert_id, version, run_id, n, origin, members, deliveries)
               VALUES (:chunk, :id, 1, :chunk, 0, :origin, 1, 1)""",
            chunk=uuid4(), id=alert_id, origin=origin,
        )  # fmt: skip
    async with desk.context.database.transaction(town=ALL_TOWNS) as tx:
        assert len(await store.announce_again(tx, silence_s=15.0, limit=10)) == 1


@pytest.mark.shows("R1")
async def test_a_card_that_came_while_the_timers_were_away_is_found_when_they_are_back(
    desk: Desk, keyrings: Any
) -> None:
    """It committed beside its chunk, so that neither saw the other; then nobody looked for long."""
    stage = Stage(desk.context.database, keyrings.ring("dispatcher"))
    alert_id, somebody = await stage.broadcast(), uuid4()
    await stage.fan_out(alert_id, [somebody])
    await stage.keep(stage.card(somebody, ("sms", "+18605550001")))
    await stage.run("UPDATE dispatcher_card SET changed_at = now() - interval '20 minutes'")
    assert (await stage.complete()).requests == []
    await do_once([part for part in timers(desk.context) if part.name == "recipients.complete"])
    assert await stage.states(alert_id) == {"pending": 1}


@pytest.mark.shows("F36", "goal:G6")
async def test_a_cancel_has_its_turn_however_busy_the_sending_is(desk: Desk, keyrings: Any) -> None:
    """Somebody holds the broadcast at every moment, and still the cancel is let in."""
    stage = Stage(desk.context.database, keyrings.ring("dispatcher"))
    alert_id, deliveries = await stage.sendable(8)
    busy, over = asyncio.Semaphore(0), asyncio.Event()

    async def claims(mine: UUID) -> None:
        while not over.is_set():
            async with stage.database.transaction(town=ALL_TOWNS) as tx:
                for one in await claim(tx, [mine], provider="fake", channel="sms"):
                    unsent = Outcome(one.delivery_id, one.epoch, DeliveryState.PENDING, "x",
                                     counted=False)  # fmt: skip
                    await record_outcomes(tx, [unsent])
                await execute(tx, "SELECT pg_sleep(0.05)")
            busy.release()

    async def chunks(n: int) -> None:
        while not over.is_set():
            async with stage.database.transaction(town=ALL_TOWNS) as tx:
                await fan_out(tx, chunk_of(alert_id, [], n=n))
                await execute(tx, "SELECT pg_sleep(0.05)")
            busy.release()

    async with asyncio.TaskGroup() as group:
        for one in deliveries[:4]:
            group.create_task(claims(one))
        for n in range(3):
            group.create_task(chunks(n + 1))
        for _ in range(20):
            await busy.acquire()
        try:
            async with asyncio.timeout(5), stage.database.transaction(town=ALL_TOWNS) as tx:
                await stop_broadcast(tx, alert_id=alert_id, version=1, reason="x", correction=None)
        finally:
            over.set()
    assert await stage.claim(*deliveries) == []
