"""Runs of fan-out on a real database: complete, for nobody, with people lost or never come."""

import asyncio
from uuid import UUID, uuid4

import pytest

from services.dispatcher.recipients import store_runs
from services.dispatcher.recipients.fan_out import fan_out
from services.dispatcher.recipients.finish_runs import finish_runs
from services.dispatcher.recipients.hold_refused import hold_refused
from shared.db.session import ALL_TOWNS
from shared.events.audience import AudienceRefused
from tests.service.dispatcher.delivery.stage import AREA, Stage, chunk_of, ids_of, run_of


async def complete_run(stage: Stage, alert_id: UUID, *, chunks: int, members: int) -> list[str]:
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await store_runs.add_run(tx, run_of(alert_id, chunks=chunks, members=members))
    return await look(stage, alert_id)


async def look(stage: Stage, alert_id: UUID) -> list[str]:
    """Look at the runs as the timers do; return for what that calls about this alert."""
    before = len(stage.pages)
    await release(stage)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await finish_runs(tx, page=stage.page)
    return [one for one in stage.pages[before:] if str(alert_id) in one]


async def release(stage: Stage) -> None:
    """Let go on what somebody can be told of by now, as the timers do."""
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        reached = await store_runs.reached(tx)
    for alert_id, version in reached:
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            await store_runs.release_reached(tx, alert_id=alert_id, version=version)


async def fanned_out(stage: Stage, alert_id: UUID) -> bool:
    await look(stage, alert_id)
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


@pytest.mark.shows("M13")
async def test_an_alert_that_nobody_can_be_told_of_is_held_until_somebody_can(
    stage: Stage,
) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    await stage.keep(stage.card(who))
    await stage.fan_out(alert_id, [who])
    (reason,) = await complete_run(stage, alert_id, chunks=1, members=1)
    assert "nobody in its area can be told" in reason
    assert await state(stage, alert_id) == ("held", "nobody-reachable")
    assert await look(stage, alert_id) == []
    # A number that comes late is asked for while it is held, and again once it no longer is.
    await stage.keep(stage.card(who, ("sms", "+18605550100"), version=2))
    made = ids_of(await stage.complete(who))
    assert await stage.claim(*made) == []
    assert await look(stage, alert_id) == []
    assert await state(stage, alert_id) == ("live", None)
    assert (await stage.delivery(made[0]))["due_at"] is not None
    assert len(await stage.claim(*made)) == 1


async def test_whoever_awaits_a_card_is_waited_for_before_an_alert_is_held(stage: Stage) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    await stage.fan_out(alert_id, [who])
    assert await complete_run(stage, alert_id, chunks=1, members=1) == []
    assert await state(stage, alert_id) == ("live", None)
    await stage.keep(stage.card(who))
    assert ids_of(await stage.complete(who)) == []
    assert len(await look(stage, alert_id)) == 1
    assert await state(stage, alert_id) == ("held", "nobody-reachable")
    approved = await stage.broadcast(nobody_yet=True)
    await stage.fan_out(approved, [who])
    assert await complete_run(stage, approved, chunks=1, members=1) == []


@pytest.mark.shows("M13")
async def test_a_card_that_never_comes_does_not_keep_the_alert_from_being_held(
    stage: Stage,
) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    await stage.fan_out(alert_id, [who])
    assert await complete_run(stage, alert_id, chunks=1, members=1) == []
    await stage.run(
        "UPDATE dispatcher_run SET fanned_out_at = fanned_out_at - make_interval(secs => :s)"
        " WHERE alert_id = :id", s=store_runs.CARD_S, id=alert_id,
    )  # fmt: skip
    (reason,) = await look(stage, alert_id)
    assert "nobody in its area can be told" in reason
    assert await state(stage, alert_id) == ("held", "nobody-reachable")
    await stage.keep(stage.card(who, ("sms", "+18605550102")))
    made = ids_of(await stage.complete(who))
    assert await look(stage, alert_id) == []
    assert await state(stage, alert_id) == ("live", None)
    assert len(await stage.claim(*made)) == 1


async def test_who_is_added_while_an_alert_waits_to_go_on_is_asked_for_too(stage: Stage) -> None:
    alert_id, (second,), who = await stage.broadcast(), await stage.residents(1), uuid4()
    await stage.keep(stage.card(who))
    await stage.fan_out(alert_id, [who])
    await complete_run(stage, alert_id, chunks=1, members=1)
    await stage.keep(stage.card(who, ("sms", "+18605550103"), version=2))
    made = ids_of(await stage.complete(who))
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        late = await fan_out(tx, chunk_of(alert_id, [second], late=True, run_id=uuid4()))
        going_on = asyncio.create_task(release(stage))
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(20):
            while not await stage.rows(waiting):
                assert not going_on.done()
    await going_on
    assert await state(stage, alert_id) == ("live", None)
    for one in (*made, *ids_of(late)):
        assert (await stage.delivery(one))["due_at"] is not None


async def test_nobody_is_judged_to_be_told_while_somebody_is_being_added(stage: Stage) -> None:
    alert_id, (known,), who = await stage.broadcast(), await stage.residents(1), uuid4()
    await stage.keep(stage.card(who))
    await stage.fan_out(alert_id, [who])
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await fan_out(tx, chunk_of(alert_id, [known], late=True, run_id=uuid4()))
        assert await complete_run(stage, alert_id, chunks=1, members=1) == []
    assert await look(stage, alert_id) == []
    assert await state(stage, alert_id) == ("live", None)


async def test_what_the_geofence_refuses_is_not_let_go_by_a_late_card(stage: Stage) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    await stage.keep(stage.card(who))
    await stage.fan_out(alert_id, [who])
    await complete_run(stage, alert_id, chunks=1, members=1)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        event = AudienceRefused(
            alert_id=alert_id, version=1, area_digest=AREA, reason="audience-outside-area"
        )
        await hold_refused(tx, event, page=stage.page)
    await stage.keep(stage.card(who, ("sms", "+18605550101"), version=2))
    await stage.complete(who)
    await look(stage, alert_id)
    assert await state(stage, alert_id) == ("held", "audience-outside-area")


async def state(stage: Stage, alert_id: UUID) -> tuple[str, str | None]:
    """Return where a broadcast stands, and why."""
    (row,) = await stage.rows(
        "SELECT state, reason FROM dispatcher_broadcast WHERE alert_id = :id", id=alert_id
    )
    return row["state"], row["reason"]
