"""Completion on a real database: late cards, new phones and moves while an alert is live."""

import asyncio
from uuid import uuid4

import pytest

from tests.service.dispatcher.delivery.stage import Stage, ids_of, message_of


@pytest.mark.shows("G8")
async def test_a_card_that_comes_after_the_audience_is_served_once(stage: Stage) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    assert ids_of(await stage.fan_out(alert_id, [who])) == []
    await stage.keep(stage.card(who, ("sms", "+18605553001"), ("email", "late@example.org")))
    assert len(ids_of(await stage.complete(who))) == 2
    assert ids_of(await stage.complete(who)) == []
    assert ids_of(await stage.complete()) == []
    rows = await stage.rows(
        "SELECT origin, deliveries FROM dispatcher_chunk WHERE alert_id = :id ORDER BY created_at",
        id=alert_id,
    )
    assert [(row["origin"], row["deliveries"]) for row in rows] == [
        ("audience", 0),
        ("completion", 2),
    ]


@pytest.mark.shows("G8")
async def test_a_new_phone_while_the_alert_is_live_gets_it_once(stage: Stage) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    await stage.keep(stage.card(who, ("sms", "+18605553011")))
    (old,) = ids_of(await stage.fan_out(alert_id, [who]))
    await stage.keep(stage.card(who, ("sms", "+18605553011"), ("sms", "+18605553012"), version=2))
    (new,) = ids_of(await stage.complete())
    assert new != old
    await stage.keep(stage.card(who, ("sms", "+18605553012"), version=3))
    assert ids_of(await stage.complete()) == []
    # The phone that was taken off the card is not texted any more; the new one is.
    assert ids_of(await stage.claim(old, new)) == [new]
    assert (await stage.delivery(old))["reason"] == "contact_gone"


async def test_a_sign_up_beside_the_chunk_is_seen_by_one_of_the_two(stage: Stage) -> None:
    for _ in range(20):
        alert_id, who = await stage.broadcast(), uuid4()
        card = stage.card(who, ("sms", f"+1860{who.int % 10**7:07}"))
        done, _ = await asyncio.gather(stage.fan_out(alert_id, [who]), stage.keep(card))
        done_later = await stage.complete()
        assert len(ids_of(done)) + len(ids_of(done_later)) == 1
        assert await stage.states(alert_id) == {"pending": 1}


async def test_what_was_excluded_is_judged_again(stage: Stage) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    await stage.keep(stage.card(who))
    await stage.fan_out(alert_id, [who])
    assert await stage.exclusions(alert_id) == {(who, "", "no_contact")}
    await stage.keep(stage.card(who, ("sms", "+18605553021"), version=2))
    assert len(ids_of(await stage.complete(who))) == 1
    assert await stage.exclusions(alert_id) == set()


async def test_whoever_leaves_after_being_sent_it_is_not_called_excluded(stage: Stage) -> None:
    alert_id, who, unreached = await stage.broadcast(), uuid4(), uuid4()
    await stage.keep(stage.card(who, ("sms", "+18605553031")))
    (sent,) = ids_of(await stage.fan_out(alert_id, [who, unreached]))
    await stage.claim(sent)
    await stage.keep(message_of(None, key=str(who)), message_of(None, key=str(unreached)))
    assert ids_of(await stage.complete(who, unreached)) == []
    assert await stage.exclusions(alert_id) == {(unreached, "", "left")}


async def test_only_live_alerts_are_completed(stage: Stage) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    await stage.fan_out(alert_id, [who])
    await stage.run(
        "UPDATE dispatcher_broadcast SET state = 'ended' WHERE alert_id = :id", id=alert_id
    )
    await stage.keep(stage.card(who, ("sms", "+18605553041")))
    assert ids_of(await stage.complete(who)) == []


async def test_two_completions_side_by_side_add_once(stage: Stage) -> None:
    alert_id, people = await stage.broadcast(), [uuid4() for _ in range(30)]
    await stage.fan_out(alert_id, people)
    await stage.keep(*(stage.card(one, ("sms", f"+1203{one.int % 10**7:07}")) for one in people))
    done = await asyncio.gather(*(stage.complete(*people) for _ in range(4)))
    assert sum(len(ids_of(one)) for one in done) == 30
    assert await stage.states(alert_id) == {"pending": 30}
