"""CAP messages posted by partners: once, their own, waiting for people."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.dispatcher.alerts.timers import timers
from shared.clock import cap_time
from tests.fakes_geofence import NEW_HAVEN
from tests.service.dispatcher.alerts.cap.cap_messages import info, message, post
from tests.service.dispatcher.alerts.desk import Desk, codes, do_once

DATA = os.environ.get("CTALERT_TEST_DATA")


@pytest.mark.shows("C9", "C19", "C20", "S29")
async def test_a_message_becomes_an_alert_that_waits(desk: Desk) -> None:
    spanish = info("es-US", headline="Tornado cerca de Meriden", instruction="Protéjase ahora.")
    answer = await post(desk, message(desk.keys["sender"], info(), spanish))
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert (receipt["state"], receipt["count"]) == ("pending_approval", 12)
    shown = (
        await desk.client.get(f"/v1/alerts/{receipt['alert_id']}", headers=desk.sign_in("ada"))
    ).json()
    assert set(shown["texts"]) == {"en-US", "es-US"}
    assert shown["emergency"]
    assert shown["texts"]["es-US"]["sms"].startswith("CT Alert: Tornado cerca de Meriden. Prot")
    ring = desk.geofence.asked[0]["area"]["include"][0]["geometry"]["coordinates"][0]
    assert ring[0] == [-72.93, 41.30]
    approved = await desk.approve(shown, desk.sign_in("ada"))
    assert approved.status_code == 200, approved.text


async def test_a_headline_nobody_can_see_gives_way_to_the_event(desk: Desk) -> None:
    unseen = info(headline="\u200b\u2060", description="\u200b", instruction="\u00a0")
    answer = await post(desk, message(desk.keys["sender"], unseen))
    assert answer.status_code == 202, answer.text
    shown = await desk.client.get(
        f"/v1/alerts/{answer.json()['alert_id']}", headers=desk.sign_in("ada")
    )
    said = shown.json()["texts"]["en-US"]
    assert said["headline"] == "Tornado Warning"
    assert "\u200b" not in "".join(said.values())


@pytest.mark.shows("S01")
async def test_who_made_the_key_does_not_approve_what_it_posts(desk: Desk) -> None:
    receipt = (await post(desk, message(desk.keys["sender"]))).json()
    root = desk.sign_in("root", roles=("manager",))
    answer = await desk.approve(receipt, root)
    assert (answer.status_code, codes(answer)) == (403, {"same-person"})


@pytest.mark.shows("C6", "S28", "bad:C27")
async def test_the_same_message_is_one_alert(desk: Desk) -> None:
    body = message(desk.keys["sender"])
    answers = await asyncio.gather(*(post(desk, body) for _ in range(50)))
    assert sorted(one.status_code for one in answers) == [*[200] * 49, 202]
    assert len({one.json()["alert_id"] for one in answers}) == 1
    desk.clock.ahead = timedelta(hours=5)
    late = await post(desk, body)
    assert late.status_code == 200
    changed = await post(desk, body.replace("north", "south"))
    assert (changed.status_code, codes(changed)) == (409, {"cap-identifier-reused"})


@pytest.mark.shows("S28", "bad:C10")
async def test_a_partner_speaks_for_itself_only(desk: Desk) -> None:
    other = await post(desk, message("somebody@else.example.org"))
    assert (other.status_code, codes(other)) == (403, {"other-sender"})
    fire = info(category="Fire")
    category = await post(desk, message(desk.keys["sender"], fire))
    assert (category.status_code, codes(category)) == (403, {"other-category"})
    nobody = await desk.client.post(
        "/v1/cap", content=b"<a/>", headers={"Content-Type": "application/cap+xml"}
    )
    assert nobody.status_code == 401
    manager = await desk.client.post(
        "/v1/cap", content=b"<a/>",
        headers={**desk.sign_in("ada"), "Content-Type": "application/cap+xml"},
    )  # fmt: skip
    assert manager.status_code == 403


@pytest.mark.shows("S11")
async def test_a_towns_partner_stays_in_its_town(desk: Desk) -> None:
    sender, headers = await desk.enrol(town=NEW_HAVEN)
    inside = await post(desk, message(sender), **headers)
    assert inside.status_code == 202, inside.text
    hartford = info(area="<circle>41.76,-72.68 1</circle>")
    outside = await post(desk, message(sender, hartford), **headers)
    assert (outside.status_code, codes(outside)) == (403, {"outside-jurisdiction"})


@pytest.mark.shows("bad:C11", "C12")
async def test_a_late_message_is_held_for_people(desk: Desk) -> None:
    sent = cap_time(datetime.now(UTC) - timedelta(minutes=20))
    answer = await post(desk, message(desk.keys["sender"], sent=sent))
    assert answer.status_code == 202
    assert "late" in answer.json()["notes"]


@pytest.mark.shows("S05")
async def test_without_the_geofence_the_message_is_kept_and_submitted_later(desk: Desk) -> None:
    desk.geofence.down = True
    body = message(desk.keys["sender"])
    receipt = (await post(desk, body)).json()
    assert (receipt["state"], receipt["digest"]) == ("draft", None)
    desk.geofence.down = False
    await do_once(timers(desk.context))
    again = await post(desk, body)
    assert (again.status_code, again.json()["state"]) == (200, "pending_approval")


if DATA:

    @pytest.mark.shows("C1", "C9")
    @pytest.mark.parametrize("name", [
        "nws_update_two_polygons.xml", "oasis_A2_severe_thunderstorm.xml",
        "canada_naads_en_fr_signed.xml", "belgium_meteoalarm_four_languages.xml",
    ])  # fmt: skip
    async def test_real_words_make_an_alert(desk: Desk, name: str) -> None:
        from ctalert.demo.message import compose, read_words

        words = read_words(Path(DATA or "") / "cap" / "samples" / name)
        body = compose(now=datetime.now(UTC), words=words).decode()
        body = body.replace("weather@demo.example.org", desk.keys["sender"])
        answer = await post(desk, body)
        assert answer.status_code == 202, answer.text
        row = (await desk.rows(
            "SELECT texts FROM dispatcher_alert WHERE alert_id = :id",
            id=answer.json()["alert_id"],
        ))[0]  # fmt: skip
        assert set(row["texts"]) == {one["language"] for one in words}
        assert all(len(one["sms"]) <= 1_600 for one in row["texts"].values())
