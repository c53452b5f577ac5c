"""Where somebody lives is told only while an alert can reach them: whom approvers count."""

from uuid import UUID, uuid4

import pytest

from services.subscriber.consent.history import Address
from services.subscriber.consent.suppress import suppress
from services.subscriber.imports.take_in import take_in
from services.subscriber.roster.publish import publish
from services.subscriber.roster.resident import NewContact, NewPlace, NewResident
from tests.service.subscriber.desk import Desk, Member, new_phone, shown, sms

Spots = list[tuple[float, float]]
HOME, MERIDEN = (-72.6734, 41.7658), (-72.8070, 41.5382)


async def spots(desk: Desk, subscriber_id: str) -> Spots:
    """Return the places told last of somebody, by the version they have."""
    place, contact = await desk.state(subscriber_id)
    assert place.version == contact.version
    assert bool(place.reach.channels) == bool(desk.card(contact).contact_points)
    return [(one.lon, one.lat) for one in place.places]


async def receive(desk: Desk, who: Member, contact_id: str, *, wanted: bool) -> None:
    """Stop alerts to a contact point, or take that back."""
    path, body = f"{who.url}/contact-points/{contact_id}", {"receive": wanted}
    answer = await desk.client.patch(path, json=body, headers=who.headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.shows("M12", "R7", "bad:U26")
async def test_who_stops_every_channel_is_nowhere_until_one_is_back(desk: Desk) -> None:
    mail = {"channel": "email", "address": f"{uuid4().hex}@example.com"}
    who = await desk.member(sms(new_phone()), mail)
    await desk.confirm(who.subscriber_id, 1)
    profile = await shown(desk, who)
    phone, mailbox = (point["contact_id"] for point in profile["contact_points"])
    await receive(desk, who, phone, wanted=False)
    assert await spots(desk, who.subscriber_id) == [HOME]
    await receive(desk, who, mailbox, wanted=False)
    assert await spots(desk, who.subscriber_id) == []

    # Moving house meanwhile tells nobody where; their own profile has it.
    (home,) = profile["places"]
    moved = {"label": "home", "lon": MERIDEN[0], "lat": MERIDEN[1]}
    path = f"{who.url}/places/{home['place_id']}"
    assert (await desk.client.put(path, json=moved, headers=who.headers)).status_code == 200
    assert await spots(desk, who.subscriber_id) == []
    assert [(p["lon"], p["lat"]) for p in (await shown(desk, who))["places"]] == [MERIDEN]
    await receive(desk, who, mailbox, wanted=True)
    assert await spots(desk, who.subscriber_id) == [MERIDEN]


@pytest.mark.shows("M12", "R14")
async def test_who_removes_the_last_proved_address_is_nowhere_until_another_is_proved(
    desk: Desk,
) -> None:
    who = await desk.member()
    path = f"{who.url}/contact-points"
    (old,) = (await shown(desk, who))["contact_points"]
    added = await desk.client.post(path, json=sms(new_phone()), headers=who.headers)
    assert added.status_code == 202
    assert await spots(desk, who.subscriber_id) == [HOME]
    gone = await desk.client.delete(f"{path}/{old['contact_id']}", headers=who.headers)
    assert gone.status_code == 200
    assert await spots(desk, who.subscriber_id) == []
    new = added.json()["contact_points"][1]["contact_id"]
    assert (await desk.confirm(who.subscriber_id, new)).status_code == 200
    assert await spots(desk, who.subscriber_id) == [HOME]


@pytest.mark.shows("M12", "S24")
async def test_who_is_taken_in_with_a_number_that_said_stop_is_nowhere(desk: Desk) -> None:
    """Also when the roster is told again, in the version it has."""
    stopped, keys = new_phone(), desk.context.keys
    hashed = keys.hasher.hash(stopped)
    land, own = (NewContact("voice", n, "statutory") for n in (stopped, new_phone()))
    silent, reached = (
        NewResident(language="en", contacts=(land, *more), places=(NewPlace(*HOME, "home"),))
        for more in ((), (own,))
    )
    ids = [silent.subscriber_id, reached.subscriber_id]
    async with desk.context.database.transaction() as tx:
        await suppress(tx, [Address("voice", hashed.digest, hashed.key_id)], reason="stop")
        await take_in(
            tx, [silent, reached], batch=str(uuid4()), source="test",
            outbox=desk.context.outbox, keys=keys,
        )  # fmt: skip
    before = [await desk.state(str(one)) for one in ids]
    async with desk.context.database.transaction() as tx:
        await publish(tx, ids, outbox=desk.context.outbox, keys=keys, changed=False)
    again = [await desk.state(str(one)) for one in ids]
    assert [place for place, _ in again] == [place for place, _ in before]
    assert [place.version for place, _ in again] == [1, 1]
    assert [await _spots(desk, one) for one in ids] == [[], [HOME]]


async def _spots(desk: Desk, subscriber_id: UUID) -> Spots:
    return await spots(desk, str(subscriber_id))
