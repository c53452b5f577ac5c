"""Residents who stop, leave, come back or never confirm: what is erased and what stays."""

import pytest

from services.subscriber.roster.lapse import lapse
from tests.service.subscriber.desk import Desk, new_phone, shown, sms


@pytest.mark.shows("R7", "bad:U26")
async def test_stop_and_back_for_one_contact_point(desk: Desk) -> None:
    """Stopping twice is as once; only a proved address may take alerts again."""
    number = new_phone()
    who = await desk.member(sms(number), sms(new_phone()))
    ids = [point["contact_id"] for point in (await shown(desk, who))["contact_points"]]
    path = f"{who.url}/contact-points/{ids[0]}"
    before, _ = await desk.state(who.subscriber_id)
    for _ in range(2):
        answer = await desk.client.patch(path, json={"receive": False}, headers=who.headers)
        assert answer.status_code == 200
        assert not answer.json()["contact_points"][0]["receives"]
    place, contact = await desk.state(who.subscriber_id)
    assert place.version == before.version + 1
    assert place.reach.channels == 0
    assert desk.card(contact).contact_points == ()

    back = await desk.client.patch(path, json={"receive": True}, headers=who.headers)
    assert back.json()["contact_points"][0]["receives"]
    _, rejoined = await desk.state(who.subscriber_id)
    assert rejoined.opted_in_at is not None
    assert await desk.reachable(who.subscriber_id) == {number}
    unproved = f"{who.url}/contact-points/{ids[1]}"
    answer = await desk.client.patch(unproved, json={"receive": True}, headers=who.headers)
    assert answer.status_code == 409


@pytest.mark.shows("R5")
async def test_a_code_to_sign_in_takes_no_stop_back(desk: Desk) -> None:
    """Whoever stopped may manage their profile with a new code and stays stopped."""
    who = await desk.member()
    [point] = (await shown(desk, who))["contact_points"]
    path = f"{who.url}/contact-points/{point['contact_id']}"
    await desk.client.patch(path, json={"receive": False}, headers=who.headers)
    await desk.client.post(who.url + "/codes", json={"contact": 0})
    answer = await desk.confirm(who.subscriber_id)
    assert answer.status_code == 200
    assert not answer.json()["contact_points"][0]["receives"]


@pytest.mark.shows("R24", "bad:U30")
async def test_leaving_erases_everything_but_the_suppression(desk: Desk) -> None:
    """Both topics hear `erased` at the last version and then a null; only hashes stay."""
    number = new_phone()
    who = await desk.member(sms(number), sms(new_phone()))
    version = (await shown(desk, who))["version"]
    answer = await desk.client.delete(who.url, headers=who.headers)
    assert answer.status_code == 202
    last = (await desk.told(who.subscriber_id))[-4:]
    assert [row.topic for row in last] == [
        "subscriber.place.changed",
        "subscriber.contact.changed",
        "subscriber.place.changed",
        "subscriber.contact.changed",
    ]
    assert {row.lane for row in last} == {1}
    assert all(row.event.erased and row.event.version == version + 1 for row in last[:2])
    assert [row.event for row in last[2:]] == [None, None]
    assert last[0].event.places == ()
    assert last[1].event.card_sealed is None

    for table in ("resident", "contact_point", "place", "consent", "code"):
        count = await desk.value(
            f"SELECT count(*) FROM subscriber_{table} WHERE subscriber_id = CAST(:id AS uuid)",  # noqa: S608
            id=who.subscriber_id,
        )
        assert count == 0, table
    digest = desk.context.keys.hasher.hash(number).digest
    kept = await desk.rows(
        "SELECT * FROM subscriber_suppression WHERE address_hash = :digest", digest=digest
    )
    assert [row["reason"] for row in kept] == ["left"]
    assert (
        await desk.value(
            "SELECT version FROM subscriber_erased WHERE subscriber_id = CAST(:id AS uuid)",
            id=who.subscriber_id,
        )
        == version + 1
    )
    assert (await desk.client.get(who.url, headers=who.headers)).status_code == 404
    assert (await desk.client.delete(who.url, headers=who.headers)).status_code == 404


@pytest.mark.shows("R5")
async def test_who_left_can_come_back(desk: Desk) -> None:
    """A new sign-up with the same number lifts the suppression once it is proved."""
    number = new_phone()
    who = await desk.member(sms(number))
    await desk.client.delete(who.url, headers=who.headers)
    digest = desk.context.keys.hasher.hash(number).digest
    count = "SELECT count(*) FROM subscriber_suppression WHERE address_hash = :digest"
    again = await desk.signed_up(sms(number))
    assert await desk.value(count, digest=digest) == 1
    await desk.confirm(again)
    assert await desk.value(count, digest=digest) == 0
    assert await desk.reachable(again) == {number}


async def test_sign_ups_nobody_confirmed_lapse(desk: Desk) -> None:
    """After a week an unproved sign-up is gone; nobody was ever told of it."""
    old, new, member = await desk.signed_up(), await desk.signed_up(), await desk.member()
    for one in (old, member.subscriber_id):
        await desk.value(
            "UPDATE subscriber_resident SET created_at = now() - interval '8 days'"
            " WHERE subscriber_id = CAST(:id AS uuid) RETURNING 1",
            id=one,
        )
    async with desk.context.database.transaction() as tx:
        assert await lapse(tx) == 1
    rows = await desk.rows("SELECT subscriber_id FROM subscriber_resident")
    there = {str(row["subscriber_id"]) for row in rows}
    assert old not in there
    assert {new, member.subscriber_id} <= there
