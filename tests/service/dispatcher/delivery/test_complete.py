"""Completion on a real database: late cards, new phones, moves, and numbers that come back."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.dispatcher.contacts.suppress import suppress
from services.dispatcher.delivery.raise_states import raise_states
from services.dispatcher.delivery.states import RANK, DeliveryState, StateUpdate
from shared.db.session import ALL_TOWNS
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


async def leave(stage: Stage, alert_id: UUID, who: UUID, number: str) -> UUID:
    """Have the one delivery of somebody closed at its claim, because the number is given up."""
    await stage.keep(stage.card(who, ("sms", number)))
    (delivery_id,) = ids_of(await stage.fan_out(alert_id, [who], run_id=uuid4()))
    await stage.keep(message_of(None, key=str(who)))
    assert await stage.claim(delivery_id) == []
    row = await stage.delivery(delivery_id)
    assert (row["state"], row["reason"]) == ("suppressed", "contact_gone")
    return delivery_id


@pytest.mark.shows("G8", "D14")
async def test_who_takes_over_a_number_that_was_given_up_is_warned(stage: Stage) -> None:
    alert_id, ann, bob = await stage.broadcast(), uuid4(), uuid4()
    closed = await leave(stage, alert_id, ann, "+18605554001")
    before = await stage.delivery(closed)
    await stage.keep(stage.card(bob, ("sms", "+18605554001"), language="es-US"))
    made = await stage.fan_out(alert_id, [bob], run_id=uuid4(), late=True)
    assert ids_of(made) == [closed]
    (chunk,) = await stage.rows(
        "SELECT * FROM dispatcher_chunk WHERE alert_id = :id AND origin = 'late'", id=alert_id
    )
    assert made.chunks == [chunk["chunk_id"]]
    assert (chunk["members"], chunk["deliveries"], chunk["published_at"]) == (1, 1, None)
    row = await stage.delivery(closed)
    assert (row["state"], row["rank"]) == ("pending", 0)
    assert (row["reason"], row["settled_at"]) == (None, None)
    assert (row["chunk_id"], row["due_at"]) == (chunk["chunk_id"], None)
    assert (row["epoch"], row["language"]) == (before["epoch"], "es-US")
    assert row["published_at"] > before["published_at"]
    assert ids_of(await stage.claim(closed)) == [closed]
    assert await stage.exclusions(alert_id) == set()
    assert await stage.states(alert_id) == {"sending": 1}


@pytest.mark.shows("G8")
async def test_only_what_was_suppressed_and_never_handed_over_opens_again(stage: Stage) -> None:
    alert_id = await stage.broadcast()
    cases = [("suppressed", True)] + [
        (state.value, False) for state in DeliveryState if state is not DeliveryState.SUPPRESSED
    ]
    for n, (state, handed_over) in enumerate(cases):
        number, first, second = f"+186055541{n:02}", uuid4(), uuid4()
        await stage.keep(stage.card(first, ("sms", number)), stage.card(second, ("sms", number)))
        (one,) = ids_of(await stage.fan_out(alert_id, [first], n=2 * n))
        await stage.run(
            """UPDATE dispatcher_delivery SET state = :state, rank = :rank,
                   handed_over_at = CASE WHEN :handed_over THEN now() END
               WHERE delivery_id = :id""",
            state=state, rank=RANK[DeliveryState(state)], handed_over=handed_over, id=one,
        )  # fmt: skip
        before = await stage.delivery(one)
        assert ids_of(await stage.fan_out(alert_id, [second], n=2 * n + 1)) == []
        assert await stage.delivery(one) == before


async def test_after_an_attempt_the_attempt_s_late_news_still_count(stage: Stage) -> None:
    alert_id, bob = await stage.broadcast(), uuid4()
    closed = await leave(stage, alert_id, uuid4(), "+18605554201")
    await stage.run(
        "UPDATE dispatcher_delivery SET epoch = 1, attempts = 1 WHERE delivery_id = :id", id=closed
    )
    await stage.keep(stage.card(bob, ("sms", "+18605554201")))
    assert ids_of(await stage.fan_out(alert_id, [bob])) == [closed]
    row = await stage.delivery(closed)
    assert (row["state"], row["epoch"], row["attempts"]) == ("retry_wait", 1, 1)
    update = StateUpdate(closed, DeliveryState.SENT, "fake", "SID-1", epoch=1)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        assert await raise_states(tx, [update]) == ["moved"]


@pytest.mark.shows("D14")
async def test_chunks_that_open_the_same_numbers_again_side_by_side(stage: Stage) -> None:
    alert_id, old = await stage.broadcast(), [uuid4() for _ in range(30)]
    numbers = [f"+1203556{n:04}" for n in range(60)]
    await stage.keep(*(stage.card(one, ("sms", numbers[n])) for n, one in enumerate(old)))
    shut = ids_of(await stage.fan_out(alert_id, old, run_id=uuid4()))
    await stage.keep(*(message_of(None, key=str(one)) for one in old))
    assert await stage.claim(*shut) == []
    people = [uuid4() for _ in range(8 * 60)]
    await stage.keep(*(stage.card(one, ("sms", numbers[n % 60])) for n, one in enumerate(people)))
    done = await asyncio.gather(
        *(stage.fan_out(alert_id, people[n * 60 : n * 60 + 60], n=n) for n in range(8))
    )
    made = [one for chunk in done for one in ids_of(chunk)]
    assert len(made) == len(set(made)) == 60
    assert await stage.states(alert_id) == {"pending": 60}


@pytest.mark.shows("G8")
async def test_who_opts_in_again_after_a_stop_is_warned(stage: Stage) -> None:
    alert_id, who, number = await stage.broadcast(), uuid4(), "+18605554301"
    await stage.keep(stage.card(who, ("sms", number)))
    (one,) = ids_of(await stage.fan_out(alert_id, [who]))
    hashed, stopped_at = stage.hasher.hash(number), datetime.now(UTC)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await suppress(tx, channel="sms", address_hash=hashed.digest, hash_key_id=hashed.key_id,
                       reason="opted_out", at=stopped_at)  # fmt: skip
    assert await stage.claim(one) == []
    assert (await stage.delivery(one))["reason"] == "opted_out"
    # Another change of the card lifts nothing, and opens nothing.
    await stage.keep(stage.card(who, ("sms", number), version=2))
    assert ids_of(await stage.complete(who)) == []
    back_at = stopped_at + timedelta(minutes=1)
    await stage.keep(stage.card(who, ("sms", number), version=3, opted_in_at=back_at))
    done = await stage.complete(who)
    assert ids_of(done) == [one]
    row = await stage.delivery(one)
    assert (row["state"], [row["chunk_id"]]) == ("pending", done.chunks)
    assert ids_of(await stage.complete(who)) == []
    assert ids_of(await stage.claim(one)) == [one]
    assert await stage.exclusions(alert_id) == set()
