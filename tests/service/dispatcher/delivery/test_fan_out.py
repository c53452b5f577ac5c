"""Fan-out on a real database: chunks, shared numbers, exclusions, late joiners, broken orders."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.dispatcher.contacts.suppress import suppress
from services.dispatcher.delivery.broadcasts.stop_broadcast import stop_broadcast
from services.dispatcher.delivery.states import Texts
from shared.bus.errors import NotYet
from shared.db.session import ALL_TOWNS, is_transient
from shared.events.envelope import Poison
from shared.identifiers import derive_id
from tests.service.dispatcher.delivery.stage import Stage, ids_of


async def test_the_database_derives_the_same_ids_as_python(stage: Stage) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    await stage.keep(stage.card(who, ("sms", "+18605550001"), ("email", "a@example.org")))
    made = await stage.fan_out(alert_id, [who])
    hashes = {"sms": "+18605550001", "email": "a@example.org"}
    assert {one.delivery_id for one in made.requests} == {
        derive_id(alert_id, 1, channel, stage.hasher.hash(address).digest)
        for channel, address in hashes.items()
    }


@pytest.mark.shows("D14")
async def test_a_shared_number_is_sent_once_and_every_member_credited(stage: Stage) -> None:
    alert_id, people = await stage.broadcast(), [uuid4() for _ in range(4)]
    await stage.keep(*(stage.card(one, ("voice", "+18605550002")) for one in people))
    first = await stage.fan_out(alert_id, people[:2], n=0)
    second = await stage.fan_out(alert_id, people[2:], n=1)
    assert (len(first.requests), len(second.requests)) == (1, 0)
    links = await stage.rows(
        "SELECT subscriber_id FROM dispatcher_delivery_member WHERE delivery_id = :id",
        id=first.requests[0].delivery_id,
    )
    assert {row["subscriber_id"] for row in links} == set(people)


@pytest.mark.shows("D14")
async def test_chunks_that_share_numbers_side_by_side(stage: Stage) -> None:
    alert_id = await stage.broadcast()
    numbers = [f"+1203555{n:04}" for n in range(60)]
    people = [uuid4() for _ in range(8 * 60)]
    await stage.keep(*(stage.card(one, ("sms", numbers[n % 60])) for n, one in enumerate(people)))

    async def chunk(n: int) -> int:
        while True:
            try:
                done = await stage.fan_out(alert_id, reversed(people[n * 60 : n * 60 + 60]), n=n)
                return len(done.requests)
            except Exception as error:
                if not is_transient(error):
                    raise

    made = await asyncio.gather(*(chunk(n) for n in range(8)))
    assert sum(made) == 60
    links = await stage.rows(
        """SELECT count(*) AS n FROM dispatcher_delivery_member
           JOIN dispatcher_delivery USING (delivery_id) WHERE alert_id = :id""",
        id=alert_id,
    )
    assert links[0]["n"] == len(people)


@pytest.mark.shows("F03")
async def test_a_run_killed_between_chunks_and_made_again(stage: Stage) -> None:
    alert_id, people = await stage.broadcast(), await stage.residents(40)
    again = UUID(int=2)
    made = [await stage.fan_out(alert_id, people[:25], n=0)]
    made += [await stage.fan_out(alert_id, people[:20], n=0, run_id=again)]
    made += [await stage.fan_out(alert_id, people[20:], n=1, run_id=again)]
    # The dead run's chunk comes a second time, as Kafka may give it.
    made += [await stage.fan_out(alert_id, people[:25], n=0)]
    ids = [one for done in made for one in ids_of(done)]
    assert len(ids) == len(set(ids)) == 40
    assert await stage.states(alert_id) == {"pending": 40}


@pytest.mark.shows("P1", "S05")
async def test_every_member_has_a_delivery_or_a_reason_or_is_awaited(stage: Stage) -> None:
    alert_id = await stage.broadcast(channels=["sms", "voice"])
    who = {name: uuid4() for name in (
        "reached", "awaited", "erased", "other_category", "higher_floor", "no_contact", "stopped",
        "statutory", "email_only", "half",
    )}  # fmt: skip
    gone = stage.card(who["erased"])
    assert gone.event is not None
    await stage.keep(
        stage.card(who["reached"], ("sms", "+18605551001")),
        stage.card(who["other_category"], ("sms", "+18605551002"), categories=["Health"]),
        stage.card(who["higher_floor"], ("sms", "+18605551003"), severity_floor="Extreme"),
        stage.card(who["no_contact"]),
        stage.card(who["stopped"], ("sms", "+18605551004")),
        stage.card(who["statutory"], ("voice", "+18605551005"), basis="statutory"),
        stage.card(who["email_only"], ("email", "e@example.org")),
        stage.card(who["half"], ("sms", "+18605551004"), ("voice", "+18605551006")),
        type(gone)(gone.topic, 0, 0, 0, gone.key, None,
                   gone.event.model_copy(update={"erased": True, "card_sealed": None})),
    )  # fmt: skip
    hashed = stage.hasher.hash("+18605551004")
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await suppress(tx, channel="sms", address_hash=hashed.digest, hash_key_id=hashed.key_id,
                       reason="opted_out", at=datetime.now(UTC))  # fmt: skip
    await stage.fan_out(alert_id, who.values())
    assert await stage.exclusions(alert_id) == {
        (who["erased"], "", "left"),
        (who["other_category"], "", "category"),
        (who["higher_floor"], "", "severity"),
        (who["no_contact"], "", "no_contact"),
        (who["stopped"], "", "opted_out"),
        (who["stopped"], "sms", "opted_out"),
        (who["statutory"], "", "statutory_non_emergency"),
        (who["statutory"], "voice", "statutory_non_emergency"),
        (who["email_only"], "", "channel_not_used"),
        (who["email_only"], "email", "channel_not_used"),
        (who["half"], "sms", "opted_out"),
    }
    unexplained = await stage.rows(
        """SELECT subscriber_id FROM dispatcher_member AS m
           WHERE alert_id = :id AND card_version IS NOT NULL
             AND NOT EXISTS (SELECT FROM dispatcher_exclusion AS x
                             WHERE x.subscriber_id = m.subscriber_id AND x.channel = '')
             AND NOT EXISTS (SELECT FROM dispatcher_delivery_member AS l
                             WHERE l.subscriber_id = m.subscriber_id)""",
        id=alert_id,
    )
    assert unexplained == []
    awaited = await stage.rows(
        "SELECT subscriber_id FROM dispatcher_member WHERE alert_id = :id AND card_version IS NULL",
        id=alert_id,
    )
    assert [row["subscriber_id"] for row in awaited] == [who["awaited"]]


@pytest.mark.shows("R12", "O7", "S15")
async def test_an_emergency_goes_by_no_preference_and_to_statutory_landlines(stage: Stage) -> None:
    alert_id = await stage.broadcast(emergency=True)
    picky, landline, texted = uuid4(), uuid4(), uuid4()
    await stage.keep(
        stage.card(picky, ("sms", "+18605552001"), categories=["Health"], severity_floor="Extreme"),
        stage.card(landline, ("voice", "+18605552002"), basis="statutory"),
        stage.card(texted, ("sms", "+18605552003"), basis="statutory"),
    )
    made = await stage.fan_out(alert_id, [picky, landline, texted])
    assert {one.channel for one in made.requests} == {"sms", "voice"}
    assert len(made.requests) == 2
    assert (texted, "", "statutory_non_emergency") in await stage.exclusions(alert_id)


@pytest.mark.shows("R15", "C9")
async def test_each_reads_the_language_that_fits_best(stage: Stage) -> None:
    alert_id = await stage.broadcast()
    wanted = {"es-PR": "es-US", "es-US": "es-US", "en-GB": "en-US", "pl-PL": "en-US"}
    people = {uuid4(): language for language in wanted}
    await stage.keep(
        *(
            stage.card(one, ("email", f"{language}@example.org"), language=language)
            for one, language in people.items()
        )
    )
    made = await stage.fan_out(alert_id, people)
    spoken = {(await stage.delivery(one))["address_hash"]: (await stage.delivery(one))["language"]
              for one in ids_of(made)}  # fmt: skip
    for language, expected in wanted.items():
        assert spoken[stage.hasher.hash(f"{language}@example.org").digest] == expected


@pytest.mark.shows("bad:K09", "S05")
async def test_a_chunk_of_no_alert_or_another_area_makes_nothing(stage: Stage) -> None:
    people = await stage.residents(1)
    with pytest.raises(NotYet):
        await stage.fan_out(uuid4(), people)
    alert_id = await stage.broadcast()
    with pytest.raises(Poison):
        await stage.fan_out(alert_id, people, area_digest="cd" * 32)
    assert await stage.states(alert_id) == {}


@pytest.mark.shows("G8")
async def test_a_late_joiner_of_an_old_version_joins_the_newest(stage: Stage) -> None:
    alert_id, people = await stage.broadcast(), await stage.residents(2)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await stop_broadcast(tx, alert_id=alert_id, version=1, reason="superseded", correction=None)
    over = await stage.fan_out(alert_id, people[:1], late=True, run_id=uuid4())
    assert over.requests == []
    await stage.broadcast(alert_id=alert_id, version=2)
    await stage.fan_out(alert_id, people[1:], late=True, run_id=uuid4())
    assert await stage.states(alert_id, version=1) == {}
    assert await stage.states(alert_id, version=2) == {"pending": 1}


@pytest.mark.shows("F36", "D7")
async def test_a_cancel_waits_for_a_chunk_and_no_chunk_comes_after_it(stage: Stage) -> None:
    alert_id, people = await stage.broadcast(), await stage.residents(30)
    texts = {"en-US": Texts(sms="Cancelled")}

    async def cancel() -> None:
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            await stop_broadcast(tx, alert_id=alert_id, version=1, reason="wrong", correction=texts)

    done = await asyncio.gather(
        *(stage.fan_out(alert_id, [one], n=n) for n, one in enumerate(people[:15])),
        cancel(),
        *(stage.fan_out(alert_id, [one], n=n + 15) for n, one in enumerate(people[15:])),
    )
    made = [one for chunk in done if chunk is not None for one in ids_of(chunk)]
    assert await stage.states(alert_id) == ({"pending": len(made)} if made else {})
    assert ids_of(await stage.fan_out(alert_id, people, n=99)) == []
    assert await stage.claim(*made) == []
    assert await stage.states(alert_id) == ({"cancelled": len(made)} if made else {})


async def test_an_expired_alert_takes_nobody_in(stage: Stage) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    alert_id, people = await stage.broadcast(expires_at=soon), await stage.residents(1)
    await stage.run(
        "UPDATE dispatcher_broadcast SET expires_at = now() - interval '1 s' WHERE alert_id = :id",
        id=alert_id,
    )
    assert ids_of(await stage.fan_out(alert_id, people)) == []
