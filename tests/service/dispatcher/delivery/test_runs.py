"""Runs of fan-out on a real database: complete, for nobody, with people lost or never come."""

from uuid import UUID, uuid4

import pytest

from services.dispatcher.recipients import store_runs
from services.dispatcher.recipients.finish_runs import finish_runs
from shared.db.session import ALL_TOWNS
from tests.service.dispatcher.delivery.stage import Stage, ids_of, run_of


async def complete_run(stage: Stage, alert_id: UUID, *, chunks: int, members: int) -> list[str]:
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await store_runs.add_run(tx, run_of(alert_id, chunks=chunks, members=members))
        return await finish_runs(tx)


async def fanned_out(stage: Stage, alert_id: UUID) -> bool:
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await finish_runs(tx)
    rows = await stage.rows(
        "SELECT fanned_out_at FROM dispatcher_run WHERE alert_id = :id", id=alert_id
    )
    return bool(rows) and rows[0]["fanned_out_at"] is not None


@pytest.mark.shows("C10")
async def test_a_run_is_complete_when_its_last_chunk_is_whichever_comes_first(
    stage: Stage,
) -> None:
    for completed_first in (True, False):
        alert_id, people = await stage.broadcast(), await stage.residents(2)
        if completed_first:
            assert await complete_run(stage, alert_id, chunks=2, members=2) == []
        for n, one in enumerate(people):
            assert await fanned_out(stage, alert_id) is False
            await stage.fan_out(alert_id, [one], n=n)
        if not completed_first:
            assert await complete_run(stage, alert_id, chunks=2, members=2) == []
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            await finish_runs(tx)
        assert await fanned_out(stage, alert_id) is True


async def test_an_alert_for_nobody_is_held_and_pages_unless_that_was_approved(
    stage: Stage,
) -> None:
    alert_id = await stage.broadcast()
    (reason,) = await complete_run(stage, alert_id, chunks=0, members=0)
    assert "nobody" in reason
    approved = await stage.broadcast(nobody_yet=True)
    assert await complete_run(stage, approved, chunks=0, members=0) == []
    rows = await stage.rows(
        "SELECT alert_id, state FROM dispatcher_broadcast WHERE alert_id = ANY(:ids)",
        ids=[alert_id, approved],
    )
    assert {row["alert_id"]: row["state"] for row in rows} == {alert_id: "held", approved: "live"}
    # Whoever comes into a held alert waits: nothing is sent, nothing is lost.
    made = await stage.fan_out(alert_id, await stage.residents(1), late=True, run_id=uuid4())
    assert await stage.claim(*ids_of(made)) == []
    assert await stage.states(alert_id) == {"pending": 1}


async def test_people_lost_between_the_services_page(stage: Stage) -> None:
    alert_id = await stage.broadcast()
    await stage.fan_out(alert_id, await stage.residents(3))
    (reason,) = await complete_run(stage, alert_id, chunks=1, members=4)
    assert "4 people" in reason


async def test_who_never_came_is_excluded_when_the_alert_ends(stage: Stage) -> None:
    alert_id, stranger = await stage.broadcast(), uuid4()
    await stage.fan_out(alert_id, [stranger])
    assert await stage.exclusions(alert_id) == set()
    await stage.run(
        "UPDATE dispatcher_broadcast SET state = 'ended' WHERE alert_id = :id", id=alert_id
    )
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await store_runs.give_up_waiting(tx, limit=100)
    assert await stage.exclusions(alert_id) == {(stranger, "", "no_card")}
