"""Residents at their own profile: read, change, export."""

import asyncio

import orjson
import pytest

from services.subscriber.codes.manage_link import manage_link
from shared.identifiers import new_id
from shared.security.links import LinkTokens
from tests.service.subscriber.desk import HARTFORD, Desk, Member, new_phone, shown, sms

NEW_HAVEN = {"label": "work", "lon": -72.9279, "lat": 41.3083}


@pytest.mark.shows("R24")
async def test_a_resident_sees_what_they_told_us(desk: Desk) -> None:
    """Addresses and labels are opened for their owner."""
    number = new_phone()
    who = await desk.member(sms(number), places=[HARTFORD, NEW_HAVEN], categories=["Met"])
    profile = await shown(desk, who)
    [point] = profile["contact_points"]
    assert (point["address"], point["state"], point["receives"]) == (number, "verified", True)
    assert [place["label"] for place in profile["places"]] == ["home", "work"]
    assert profile["categories"] == ["Met"]


@pytest.mark.shows("R2", "R24")
async def test_moving_a_place_tells_a_new_version(desk: Desk) -> None:
    """Adding, moving and removing a place is a whole new state each time; the person stays."""
    who = await desk.member()
    added = await desk.client.post(who.url + "/places", json=NEW_HAVEN, headers=who.headers)
    assert added.status_code == 201
    work = added.json()["places"][1]["place_id"]
    place, _ = await desk.state(who.subscriber_id)
    assert [one.lat for one in place.places] == [HARTFORD["lat"], NEW_HAVEN["lat"]]

    moved = NEW_HAVEN | {"lat": 41.31}
    answer = await desk.client.put(f"{who.url}/places/{work}", json=moved, headers=who.headers)
    assert answer.status_code == 200
    later, _ = await desk.state(who.subscriber_id)
    assert later.version == place.version + 1
    assert later.places[1].lat == 41.31
    assert str(later.places[1].place_id) == work

    profile = await shown(desk, who)
    for gone in profile["places"]:
        path = f"{who.url}/places/{gone['place_id']}"
        assert (await desk.client.delete(path, headers=who.headers)).status_code == 200
    last, contact = await desk.state(who.subscriber_id)
    assert last.places == ()
    assert not last.erased
    assert len(desk.card(contact).contact_points) == 1


@pytest.mark.shows("bad:U28")
async def test_changes_need_the_newest_version(desk: Desk) -> None:
    """No If-Match is 428, a stale one 412, a fresh one goes through once."""
    who = await desk.member()
    wish = {"language": "pl", "severity_floor": "Severe"}
    assert (await desk.client.patch(who.url, json=wish, headers=who.headers)).status_code == 428
    stale = who.headers | {"If-Match": '"1"'}
    assert (await desk.client.patch(who.url, json=wish, headers=stale)).status_code == 412
    odd = who.headers | {"If-Match": "yesterday"}
    assert (await desk.client.patch(who.url, json=wish, headers=odd)).status_code == 400

    version = (await shown(desk, who))["version"]
    fresh = who.headers | {"If-Match": f'"{version}"'}
    both = await asyncio.gather(
        *(desk.client.patch(who.url, json=wish, headers=fresh) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in both) == [200, 412, 412, 412]
    place, contact = await desk.state(who.subscriber_id)
    assert place.version == version + 1
    assert (desk.card(contact).language, place.reach.severity_floor) == ("pl", "Severe")


@pytest.mark.shows("R1", "R14")
async def test_contact_points_come_go_and_change_places(desk: Desk) -> None:
    """A new one is unproved till its code; order is the resident's; removed ones get nothing."""
    first, second = new_phone(), new_phone()
    who = await desk.member(sms(first))
    path = who.url + "/contact-points"
    added = await desk.client.post(path, json=sms(second), headers=who.headers)
    assert added.status_code == 202
    assert await desk.reachable(who.subscriber_id) == {first}
    assert (await desk.client.post(path, json=sms(second), headers=who.headers)).status_code == 409
    ids = [point["contact_id"] for point in added.json()["contact_points"]]
    assert (await desk.confirm(who.subscriber_id, ids[1])).status_code == 200
    assert await desk.reachable(who.subscriber_id) == {first, second}

    any_version = who.headers | {"If-Match": "*"}
    turned = await desk.client.patch(who.url, json={"order": ids[::-1]}, headers=any_version)
    assert turned.status_code == 200
    _, contact = await desk.state(who.subscriber_id)
    assert [str(one.contact_id) for one in desk.card(contact).contact_points] == ids[::-1]
    short = await desk.client.patch(who.url, json={"order": ids[:1]}, headers=any_version)
    assert short.status_code == 422

    gone = await desk.client.delete(f"{path}/{ids[0]}", headers=who.headers)
    assert gone.status_code == 200
    assert await desk.reachable(who.subscriber_id) == {second}
    again = await desk.client.delete(f"{path}/{ids[0]}", headers=who.headers)
    assert again.status_code == 404


@pytest.mark.shows("R24")
async def test_the_export_is_complete(desk: Desk) -> None:
    """Profile and consent history, with the words agreed to."""
    who = await desk.member()
    answer = await desk.client.get(who.url + "/export", headers=who.headers)
    assert answer.status_code == 200
    everything = orjson.loads(answer.content)
    actions = [(line["action"], line["wording"]) for line in everything["consent"]]
    assert actions == [("given", "2026-01"), ("verified", None)]
    assert everything["contact_points"][0]["address"].startswith("+1860")


async def test_consent_history_cannot_be_rewritten(desk: Desk) -> None:
    """The database itself refuses to change or remove a living resident's history."""
    who = await desk.member()
    for statement in (
        "UPDATE subscriber_consent SET action = 'given' WHERE subscriber_id = CAST(:id AS uuid)",
        "DELETE FROM subscriber_consent WHERE subscriber_id = CAST(:id AS uuid)",
    ):
        with pytest.raises(Exception, match="only ever added to"):
            await desk.value(statement + " RETURNING 1", id=who.subscriber_id)


@pytest.mark.shows("S10", "S12", "S23", "bad:U25")
async def test_only_the_owner_gets_in(desk: Desk) -> None:
    """No, forged, foreign, old or misused token is 401; somebody else's profile is not there."""
    who, other = await desk.member(), await desk.member()
    links = desk.context.keys.links
    forged = LinkTokens([b"x" * 32])
    bad = [
        "",
        "garbage",
        who.token[:-2] + "AA",
        forged.make("manage", {"subscriber": who.subscriber_id}),
        links.make("unsubscribe", {"subscriber": who.subscriber_id}),
    ]
    paths = [
        ("GET", ""),
        ("GET", "/export"),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/places"),
        ("PUT", f"/places/{new_id()}"),
        ("DELETE", f"/places/{new_id()}"),
        ("POST", "/contact-points"),
        ("PATCH", f"/contact-points/{new_id()}"),
        ("DELETE", f"/contact-points/{new_id()}"),
    ]
    for method, path in paths:
        for token in bad:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = await desk.client.request(method, who.url + path, json={}, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert "WWW-Authenticate" in answer.headers
        answer = await desk.client.request(
            method, who.url + path, json={}, headers=other.headers | {"If-Match": "*"}
        )
        assert answer.status_code in {404, 422}, (method, path)
        if answer.status_code == 422:
            assert path in {"/places", "/contact-points"} or method in {"PUT", "PATCH"}
    assert (await shown(desk, who))["version"] == 2


@pytest.mark.shows("S23")
async def test_a_link_is_good_for_a_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one is refused."""
    who = await desk.member()
    assert len(who.token) > 60
    monkeypatch.setattr("services.subscriber.codes.manage_link.LIFETIME_S", -1)
    assert (await desk.client.get(who.url, headers=who.headers)).status_code == 401
    monkeypatch.undo()
    fresh = manage_link(desk.context.keys.links, new_id())
    nobody = Member(str(new_id()), fresh)
    assert (await desk.client.get(nobody.url, headers=nobody.headers)).status_code == 404
