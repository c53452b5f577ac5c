"""Who is held for a person has called one in the same commit, and never counts as sent."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.dispatcher.alerts.store import end_expired
from services.dispatcher.alerts.timers import timers
from services.dispatcher.delivery.store_close import expire_broadcasts
from services.dispatcher.recipients.consumers import refusal_handler, run_handler
from services.dispatcher.recipients.timers import timers as recipients_timers
from services.dispatcher.staff.page import EACH
from shared.bus.outbox import Outbox
from shared.db.session import ALL_TOWNS, open_database
from shared.events.audience import AudienceCompleted, AudienceRefused
from tests.service.dispatcher.alerts.cap.cap_messages import info, message, post
from tests.service.dispatcher.alerts.cap.test_cap_areas import geocodes, look
from tests.service.dispatcher.alerts.desk import Desk, do_once
from tests.service.dispatcher.alerts.test_reports import report
from tests.service.dispatcher.alerts.test_timers import add_chunk, add_delivery, state, tick
from tests.service.dispatcher.alerts.test_unheard import reasons
from tests.service.dispatcher.delivery.stage import message_of

AREA = geocodes(("SAME", "036061"))


@pytest.fixture
async def cut_off(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """A desk that dies after each commit of a hold: no page of a later transaction is written."""
    nowhere = open_database(
        "postgresql+asyncpg://nobody@127.0.0.1:1/nothing", application_name="none"
    )
    monkeypatch.setattr(desk.context.page, "_database", nowhere)
    yield desk
    await nowhere.close()


async def called(desk: Desk, alert_id: str) -> list[str]:
    """Return for what somebody was called to an alert."""
    return [one for one in await reasons(desk) if alert_id in one]


def refused(shown: dict[str, Any]) -> AudienceRefused:
    """Make the geofence's refusal of an approved alert."""
    return AudienceRefused(
        alert_id=UUID(shown["alert_id"]), version=1, area_digest=shown["area"]["digest"],
        reason="audience-outside-area",
    )  # fmt: skip


def empty_run(shown: dict[str, Any]) -> AudienceCompleted:
    """Make the end of a run that found nobody."""
    return AudienceCompleted(
        alert_id=UUID(shown["alert_id"]), version=1, run_id=UUID(int=1), chunks=0, members=0,
        roster_offsets={"0": 7}, roster_topic_id="topic", area_digest=shown["area"]["digest"],
    )  # fmt: skip


@pytest.mark.shows("M13", "C10")
async def test_every_held_message_calls_in_the_commit_that_holds_it(cut_off: Desk) -> None:
    for _ in range(2):
        receipt = (await post(cut_off, message(cut_off.keys["sender"], info(area=AREA)))).json()
        assert len(await called(cut_off, receipt["alert_id"])) == 1


@pytest.mark.shows("M13")
async def test_a_partner_that_errs_in_every_message_calls_a_few_times(desk: Desk) -> None:
    sender, key = await desk.enrol()
    told = []
    for _ in range(EACH + 3):
        receipt = (await post(desk, message(sender, info(area=AREA)), **key)).json()
        assert receipt["hold"] is not None
        told += await called(desk, receipt["alert_id"])
    *each, more = told
    assert len(each) == EACH
    assert "there are more of these" in more
    assert "there are more of these" not in str(each)
    # Whoever else errs is heard of.
    other, key = await desk.enrol()
    receipt = (await post(desk, message(other, info(area=AREA)), **key)).json()
    assert len(await called(desk, receipt["alert_id"])) == 1


@pytest.mark.shows("M13")
async def test_each_audience_that_came_short_calls(desk: Desk) -> None:
    handle = run_handler(desk.context.database, page=desk.context.page)
    for _ in range(2):
        shown = await desk.approved()
        await add_delivery(desk, shown["alert_id"], "pending")
        short = {**empty_run(shown).model_dump(), "members": 3}
        await handle([message_of(AudienceCompleted(**short))])
        (reason,) = await called(desk, shown["alert_id"])
        assert "3 people were resolved, 0 came" in reason


@pytest.mark.shows("M13")
async def test_what_cannot_call_is_not_held_either_and_the_next_try_does_both(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = message(desk.keys["sender"], info(area=AREA))
    with monkeypatch.context() as broken:
        nowhere = Outbox("nobody", signer=desk.context.keyring.signer, clock=desk.clock)
        broken.setattr(desk.context.page, "_outbox", nowhere)
        assert (await post(desk, body)).status_code == 500
    answer = await post(desk, body)
    assert answer.status_code == 202
    assert len(await called(desk, answer.json()["alert_id"])) == 1


@pytest.mark.shows("M13", "S05")
async def test_a_message_held_when_the_geofence_is_back_calls_in_the_same_commit(
    cut_off: Desk,
) -> None:
    cut_off.geofence.down = True
    receipt = (await post(cut_off, message(cut_off.keys["sender"], info(area=AREA)))).json()
    cut_off.geofence.down = False
    await do_once(timers(cut_off.context))
    assert (await look(cut_off, receipt["alert_id"]))["hold"]["reason"] == "unknown-geocode"
    (reason,) = await called(cut_off, receipt["alert_id"])
    assert "is held for an area" in reason


@pytest.mark.shows("M13")
async def test_an_approved_alert_that_is_held_calls_in_the_same_commit(cut_off: Desk) -> None:
    context = cut_off.context
    first, second = await cut_off.approved(), await cut_off.approved()
    handle = refusal_handler(context.database, page=context.page)
    for _ in range(2):
        await handle([message_of(refused(first))])
    await run_handler(context.database, page=context.page)([message_of(empty_run(second))])
    for shown, why in ((first, "the geofence refused it"), (second, "nobody is in its area")):
        (reason,) = await called(cut_off, shown["alert_id"])
        assert why in reason


@pytest.mark.shows("M13", "P1")
async def test_an_alert_held_for_nobody_is_never_sent_and_says_why(desk: Desk) -> None:
    shown = await desk.approved()
    alert_id = shown["alert_id"]
    await run_handler(desk.context.database, page=desk.context.page)([message_of(empty_run(shown))])
    await add_chunk(desk, alert_id)
    for _ in range(2):
        await tick(desk)
    seen = await look(desk, alert_id)
    assert (seen["state"], seen["hold"]) == ("dispatching", {"reason": "nobody", "codes": []})
    counted = await report(desk, alert_id)
    assert (counted["hold"], counted["complete"]) == ("nobody", False)
    cancelled = await desk.client.post(
        f"/v1/alerts/{alert_id}/cancel", json={"reason": "x"}, headers=desk.sign_in("cy")
    )
    assert (cancelled.status_code, cancelled.json()["hold"]) == (202, None)


@pytest.mark.shows("M13", "P1")
async def test_an_alert_that_was_refused_when_part_of_it_was_sent_has_been_sent(
    desk: Desk,
) -> None:
    shown = await desk.approved()
    alert_id = shown["alert_id"]
    await add_chunk(desk, alert_id)
    await add_delivery(desk, alert_id, "accepted")
    handle = refusal_handler(desk.context.database, page=desk.context.page)
    await handle([message_of(refused(shown))])
    await tick(desk)
    assert await state(desk, alert_id) == "dispatching"
    await over(desk, alert_id)
    await tick(desk)
    assert await state(desk, alert_id) == "sent"


@pytest.mark.shows("P1")
async def test_what_was_handed_over_before_it_was_seen_under_way_does_not_expire(
    desk: Desk,
) -> None:
    alert_id = (await desk.approved())["alert_id"]
    await add_chunk(desk, alert_id)
    await add_delivery(desk, alert_id, "accepted")
    await over(desk, alert_id)
    async with desk.context.database.transaction(town=ALL_TOWNS) as tx:
        await end_expired(tx, limit=50)
    assert await state(desk, alert_id) == "approved"
    await tick(desk)
    assert await state(desk, alert_id) == "sent"


async def over(desk: Desk, alert_id: str) -> None:
    """Let an alert and its broadcast come to their end."""
    for table in ("dispatcher_alert", "dispatcher_broadcast"):
        ends = f"UPDATE {table} SET expires_at = now() WHERE alert_id = :id"  # noqa: S608
        await desk.run(ends, id=alert_id)
    async with desk.context.database.transaction(town=ALL_TOWNS) as tx:
        await expire_broadcasts(tx)


@pytest.mark.shows("M13", "P1")
async def test_an_alert_of_which_nothing_was_handed_over_expires(desk: Desk) -> None:
    """It was on its way when it turned out that nobody can be told, and was held to its end."""
    alert_id = (await desk.approved())["alert_id"]
    await add_chunk(desk, alert_id)
    await tick(desk)
    assert await state(desk, alert_id) == "dispatching"
    run = {**empty_run(await look(desk, alert_id)).model_dump(), "chunks": 0}
    handle = run_handler(desk.context.database, page=desk.context.page)
    await handle([message_of(AudienceCompleted(**run))])
    await tick(desk)
    assert await state(desk, alert_id) == "dispatching"
    await over(desk, alert_id)
    for _ in range(2):
        await tick(desk)
    seen = await look(desk, alert_id)
    assert (seen["state"], seen["hold"]["reason"]) == ("expired", "nobody")
    assert (await report(desk, alert_id))["hold"] == "nobody"


@pytest.mark.shows("M13")
async def test_the_timers_let_an_alert_go_on_that_somebody_can_be_told_of(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    await desk.run(
        "UPDATE dispatcher_broadcast SET state = 'held', reason = 'nobody-reachable'"
        " WHERE alert_id = :id",
        id=alert_id,
    )
    assert (await look(desk, alert_id))["hold"]["reason"] == "nobody-reachable"
    made = await add_delivery(desk, alert_id, "pending")
    await do_once(recipients_timers(desk.context)[1:])
    assert (await look(desk, alert_id))["hold"] is None
    due = "SELECT due_at FROM dispatcher_delivery WHERE delivery_id = :id"
    assert (await desk.rows(due, id=made))[0]["due_at"] is not None


async def test_an_alert_whose_people_all_await_a_card_is_not_sent(desk: Desk) -> None:
    shown = await desk.approved()
    alert_id = shown["alert_id"]
    await desk.run(
        "INSERT INTO dispatcher_member (alert_id, version, subscriber_id, reason, late)"
        " VALUES (:id, 1, :id, 'inside', false)",
        id=alert_id,
    )
    await run_handler(desk.context.database, page=desk.context.page)([message_of(empty_run(shown))])
    await do_once(recipients_timers(desk.context)[1:])
    for _ in range(2):
        await tick(desk)
    seen = await look(desk, alert_id)
    assert (seen["state"], seen["hold"]) == ("dispatching", None)
