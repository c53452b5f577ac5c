"""Signing up and confirming, over HTTP on a real database."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import event

from shared.identifiers import new_id
from tests.service.subscriber.desk import HARTFORD, Desk, new_phone, sms


@pytest.mark.shows("R1", "S19")
async def test_each_contact_point_stands_for_itself(desk: Desk) -> None:
    """Two texts, a call and two e-mails: proving one tells of that one only."""
    phones = [new_phone() for _ in range(3)]
    mails = [f"a{uuid4().hex}@example.com", f"b{uuid4().hex}@example.com"]
    one = await desk.signed_up(
        sms(phones[0]),
        sms(phones[1]),
        {"channel": "voice", "address": phones[2]},
        {"channel": "email", "address": mails[0]},
        {"channel": "email", "address": mails[1]},
    )
    assert len(await desk.notices(one)) == 5
    assert {row.topic for row in await desk.told(one)} == {"notice.requested"}

    answer = (await desk.confirm(one, 3)).json()
    states = [point["state"] for point in answer["contact_points"]]
    assert states == ["unverified", "unverified", "unverified", "verified", "unverified"]
    assert await desk.reachable(one) == {mails[0]}

    await desk.confirm(one, 0)
    assert await desk.reachable(one) == {mails[0], phones[0]}
    place, contact = await desk.state(one)
    assert (place.version, contact.version) == (3, 3)
    assert place.reach.channels == 1 | 4
    assert not place.reach.emergency_only
    assert contact.opted_in_at is not None


@pytest.mark.shows("R6", "S22", "bad:U21")
async def test_known_and_unknown_addresses_are_treated_alike(desk: Desk) -> None:
    """A registered address gets the same answer from the same statements, and stays proved."""
    number = new_phone()
    first = await desk.member(sms(number))
    seen: list[list[str]] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        seen[-1].append(statement)

    engine = desk.context.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        answers = []
        for address in (number, new_phone()):
            seen.append([])
            answers.append(await desk.sign_up(sms(address)))
    finally:
        event.remove(engine, "before_cursor_execute", note)
    known, unknown = answers
    assert known.status_code == unknown.status_code == 202
    assert known.json()["message"] == unknown.json()["message"]
    assert {*known.json()} == {*unknown.json()} == {"subscriber_id", "message"}
    assert seen[0] == seen[1]
    assert await desk.reachable(first.subscriber_id) == {number}


@pytest.mark.shows("R5")
async def test_a_household_shares_a_number(desk: Desk) -> None:
    """Two residents prove the same number; each has it for themselves."""
    number = new_phone()
    one, other = await desk.member(sms(number)), await desk.member(sms(number))
    assert one.subscriber_id != other.subscriber_id
    cards = [
        desk.card((await desk.state(who.subscriber_id))[1]).contact_points[0]
        for who in (one, other)
    ]
    assert cards[0].address_hash == cards[1].address_hash
    assert cards[0].contact_id != cards[1].contact_id


@pytest.mark.shows("R15", "R12")
async def test_what_was_chosen_travels_in_the_card(desk: Desk) -> None:
    """Language, categories, severity floor and uncertainty reach the other services."""
    one = await desk.member(
        language="ES-pr",
        categories=["Met", "Fire"],
        severity_floor="Severe",
        places=[HARTFORD | {"uncertainty_m": 30.0}],
    )
    place, contact = await desk.state(one.subscriber_id)
    card = desk.card(contact)
    assert (card.language, card.categories, card.severity_floor) == (
        "es-PR",
        ("Met", "Fire"),
        "Severe",
    )
    assert (place.reach.language, place.reach.severity_floor) == ("es-PR", "Severe")
    assert (place.places[0].lon, place.places[0].lat) == (HARTFORD["lon"], HARTFORD["lat"])
    assert place.places[0].uncertainty_m == 30.0


@pytest.mark.shows("S20", "bad:U22")
async def test_a_code_is_tried_five_times_at_most(desk: Desk) -> None:
    """Wrong codes are counted, also many at once; the sixth try is refused; a new code helps."""
    one = await desk.signed_up()
    right = await desk.code(one)
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    tries = await asyncio.gather(*(desk.confirm(one, code=wrong) for _ in range(12)))
    statuses = sorted(answer.status_code for answer in tries)
    assert statuses == [422] * 5 + [429] * 7
    refused = next(answer for answer in tries if answer.status_code == 429)
    assert int(refused.headers["Retry-After"]) > 0
    assert (await desk.confirm(one, code=right)).status_code == 429
    assert (
        await desk.client.post(f"/v1/subscribers/{one}/codes", json={"contact": 0})
    ).status_code == 202
    assert (await desk.confirm(one, code=right)).status_code in {422, 200}
    assert (await desk.confirm(one)).status_code == 200


@pytest.mark.shows("S20", "bad:U22")
async def test_wrong_codes_say_how_many_tries_are_left(desk: Desk) -> None:
    """Each wrong try leaves one fewer; another resident's code is wrong here."""
    one, other = await desk.signed_up(), await desk.signed_up()
    right, alien = await desk.code(one), await desk.code(other)
    if right == alien:
        alien = f"{(int(right) + 1) % 10**6:06d}"
    for left in (4, 3):
        answer = await desk.confirm(one, code=alien)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert f"tries left: {left}" in answer.json()["detail"]
        assert answer.json()["errors"] == [{"pointer": "/code", "code": "wrong-code"}]


@pytest.mark.shows("S20", "bad:U22")
async def test_a_code_is_good_once_and_for_ten_minutes(desk: Desk) -> None:
    """A used or expired code is gone."""
    one = await desk.signed_up()
    code = await desk.code(one)
    assert (await desk.confirm(one, code=code)).status_code == 200
    assert (await desk.confirm(one, code=code)).status_code == 410

    other = await desk.signed_up()
    life = await desk.value(
        "SELECT extract(epoch FROM expires_at - sent_at) FROM subscriber_code"
        " WHERE subscriber_id = CAST(:id AS uuid)",
        id=other,
    )
    assert life == 600
    await desk.value(
        "UPDATE subscriber_code SET expires_at = now() - interval '1 s'"
        " WHERE subscriber_id = CAST(:id AS uuid) RETURNING 1",
        id=other,
    )
    assert (await desk.confirm(other)).status_code == 410


@pytest.mark.shows("bad:U24", "bad:J22")
async def test_nobody_confirms_before_signing_up(desk: Desk) -> None:
    """An unknown resident, contact point or malformed id is not there."""
    one = await desk.signed_up()
    for path, contact in (
        (str(new_id()), 0),
        (one, 7),
        (one, str(new_id())),
        ("not-a-uuid", 0),
        ("%00", 0),
    ):
        for action, body in (
            ("confirm", {"contact": contact, "code": "123456"}),
            ("codes", {"contact": contact}),
        ):
            answer = await desk.client.post(f"/v1/subscribers/{path}/{action}", json=body)
            assert answer.status_code == 404, (path, action)


@pytest.mark.shows("S21", "bad:U23")
async def test_the_fourth_code_in_an_hour_is_refused(desk: Desk) -> None:
    """Three codes an hour to one number, however they are asked for."""
    number = new_phone()
    one = await desk.signed_up(sms(number))
    await desk.signed_up(sms(number))
    resent = [
        await desk.client.post(f"/v1/subscribers/{one}/codes", json={"contact": 0})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in resent] == [202, 429]
    assert int(resent[1].headers["Retry-After"]) > 3000
    assert (await desk.sign_up(sms(number))).status_code == 429


@pytest.mark.shows("S21", "bad:J27")
async def test_a_block_of_numbers_has_one_budget(desk: Desk) -> None:
    """Walking through the numbers of an exchange ends at its budget, from many networks too."""
    block = new_phone()[:8]
    bodies = [desk.body(*(sms(f"{block}{n * 10 + k:04d}") for k in range(10))) for n in range(11)]
    answers = [await desk.client.post("/v1/subscribers", json=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [202] * 10 + [429]


@pytest.mark.shows("S21")
async def test_a_voice_number_is_texted_its_code_once(desk: Desk) -> None:
    """Calls with codes are off by default; one proof of a number serves texts and calls."""
    number, other = new_phone(), new_phone()
    one = await desk.signed_up(
        sms(number),
        {"channel": "voice", "address": number},
        {"channel": "voice", "address": other},
    )
    assert [notice.channel for notice in await desk.notices(one)] == ["sms", "sms"]
    answer = (await desk.confirm(one, 0)).json()
    states = [point["state"] for point in answer["contact_points"]]
    assert states == ["verified", "verified", "unverified"]


@pytest.mark.shows("S14", "S20", "R20")
async def test_nothing_that_could_be_stolen_is_stored_in_the_clear(desk: Desk) -> None:
    """A dump of every table holds no address, no label and no code."""
    number, mail = new_phone(), f"someone.{uuid4().hex}@example.com"
    label = f"Grandma {uuid4().hex}"
    one = await desk.member(
        sms(number), {"channel": "email", "address": mail}, places=[HARTFORD | {"label": label}]
    )
    codes = [str(desk.values(notice)["code"]) for notice in await desk.notices(one.subscriber_id)]
    tables = await desk.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        " AND tablename NOT LIKE '%alembic%'"
    )
    dump = ""
    for row in tables:
        name = row["tablename"]
        lines = await desk.rows(f"SELECT CAST(t AS text) AS line FROM {name} t")  # noqa: S608
        dump += "\n".join(line["line"] for line in lines)
        values = await desk.rows(
            "SELECT convert_from(value, 'UTF8') AS line FROM subscriber_outbox"
            " WHERE value IS NOT NULL"
        )
        dump += "\n".join(line["line"] for line in values)
    for secret in (number, number[2:], mail, mail.partition("@")[0], label):
        assert secret not in dump
    columns = await desk.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
    )
    assert not [c for c in columns if "password" in c["column_name"]]
    stored = await desk.rows("SELECT digest FROM subscriber_code")
    assert not [row for row in stored for code in codes if code.encode() in bytes(row["digest"])]


@pytest.mark.shows("bad:J26")
async def test_a_repeated_sign_up_with_its_key_is_the_same_one(desk: Desk) -> None:
    """The same Idempotency-Key gives the same resident; another body with it is refused."""
    key, body = {"Idempotency-Key": uuid4().hex}, desk.body()
    first = await desk.client.post("/v1/subscribers", json=body, headers=key)
    again = await desk.client.post("/v1/subscribers", json=body, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert len(await desk.notices(first.json()["subscriber_id"])) == 1
    other = await desk.client.post("/v1/subscribers", json=desk.body(), headers=key)
    assert other.status_code == 422
