"""The alerts room on a real database: two persons, one digest, one count."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.fakes_geofence import HARTFORD, NEW_HAVEN
from tests.service.dispatcher.alerts.desk import AREA, Desk, alert, codes


@pytest.mark.shows("M1", "M12", "M18")
async def test_two_persons_send_an_alert(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"))
    assert (shown["state"], shown["count"]) == ("pending_approval", 12)
    assert shown["area"]["verified"]
    assert shown["texts"]["en-US"]["sms"].startswith("CT Alert: Boil your water.")
    assert shown["lengths"]["es-US"]["encoding"] == "UCS-2"
    answer = await desk.approve(shown, desk.sign_in("ben"))
    assert (answer.status_code, answer.json()["state"]) == (200, "approved")
    broadcast = await desk.rows(
        "SELECT * FROM dispatcher_broadcast WHERE alert_id = :id", id=shown["alert_id"]
    )
    assert [one["state"] for one in broadcast] == ["live"]
    assert broadcast[0]["priority"] == "routine"
    assert broadcast[0]["reference"] in broadcast[0]["texts"]["es-US"]["sms"]
    events = await desk.rows(
        "SELECT value FROM dispatcher_outbox WHERE topic = 'alert.approved' AND key = :key",
        key=shown["alert_id"].encode(),
    )
    data = orjson.loads(events[0]["value"])["data"]
    assert data["area_digest"] == shown["area"]["digest"]


@pytest.mark.shows("S01", "bad:A23")
async def test_nobody_approves_what_they_submitted(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"))
    for who in (
        desk.sign_in("ada"),
        desk.sign_in("ada", roles=("manager", "admin")),
        desk.sign_in("ada", town=NEW_HAVEN),
    ):
        answer = await desk.approve(shown, who)
        assert answer.status_code in (403, 404)
    answers = await asyncio.gather(*(desk.approve(shown, desk.sign_in("ada")) for _ in range(20)))
    assert {one.status_code for one in answers} == {403}
    assert (await desk.client.get(
        f"/v1/alerts/{shown['alert_id']}", headers=desk.sign_in("ada")
    )).json()["state"] == "pending_approval"  # fmt: skip


@pytest.mark.shows("S01", "bad:A23")
async def test_of_many_approvals_at_once_one_counts(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"))
    answers = await asyncio.gather(
        *(desk.approve(shown, desk.sign_in(f"approver-{n}")) for n in range(8))
    )
    assert sorted(one.status_code for one in answers) == [200, *[409] * 7]
    rows = await desk.rows(
        "SELECT 1 FROM dispatcher_outbox WHERE topic = 'alert.approved' AND key = :key",
        key=shown["alert_id"].encode(),
    )
    assert len(rows) == 1


@pytest.mark.shows("S02", "S04", "bad:A23", "bad:A24")
async def test_the_approver_names_digest_and_count(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"))
    ben = desk.sign_in("ben")
    other = await desk.approve(shown, ben, digest="0" * 64)
    assert (other.status_code, codes(other)) == (409, {"digest-mismatch"})
    wrong = await desk.approve(shown, ben, count=13)
    assert (wrong.status_code, codes(wrong)) == (422, {"count-mismatch"})


@pytest.mark.shows("S07")
async def test_approval_and_cancel_need_a_fresh_sign_in(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"))
    answer = await desk.approve(shown, desk.sign_in("ben", minutes_ago=6))
    assert answer.status_code == 401
    assert (await desk.approve(shown, desk.sign_in("ben", minutes_ago=4))).status_code == 200
    cancel = f"/v1/alerts/{shown['alert_id']}/cancel"
    stale = await desk.client.post(
        cancel, json={"reason": "x"}, headers=desk.sign_in("ada", minutes_ago=6)
    )
    assert stale.status_code == 401


@pytest.mark.shows("M12")
async def test_an_estimate_that_drifted_is_asked_again(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"))
    desk.geofence.people = 14
    answer = await desk.approve(shown, desk.sign_in("ben"))
    assert (answer.status_code, codes(answer)) == (409, {"estimate-drifted"})
    again = await desk.approve(shown, desk.sign_in("ben"), count=14)
    assert (again.status_code, again.json()["state"]) == (200, "approved")


@pytest.mark.shows("S02")
async def test_an_area_whose_layers_changed_is_shown_again(desk: Desk) -> None:
    ada, ben = desk.sign_in("ada"), desk.sign_in("ben")
    code, (name, outline) = next(iter(desk.geofence.towns.items()))
    area = {"include": [{"type": "feature", "kind": "town", "code": code}]}
    shown = await desk.submitted(ada, area=area)
    desk.geofence.towns[code] = (name, outline.buffer(-0.001))
    answer = await desk.approve(shown, ben)
    assert (answer.status_code, codes(answer)) == (409, {"area-changed"})
    now = (await desk.client.get(f"/v1/alerts/{shown['alert_id']}", headers=ben)).json()
    assert now["digest"] != shown["digest"]
    assert (await desk.approve(now, ben)).json()["state"] == "approved"


@pytest.mark.shows("bad:A27")
async def test_nobody_in_the_area_needs_a_word(desk: Desk) -> None:
    desk.geofence.people = 0
    shown = await desk.submitted(desk.sign_in("ada"))
    answer = await desk.approve(shown, desk.sign_in("ben"))
    assert (answer.status_code, codes(answer)) == (409, {"no-recipients"})
    assert (await desk.approve(shown, desk.sign_in("ben"), nobody_yet=True)).status_code == 200
    assert await approved_for_nobody(desk, shown)


async def test_nobody_yet_means_nothing_where_people_are(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"))
    assert (await desk.approve(shown, desk.sign_in("ben"), nobody_yet=True)).status_code == 200
    assert not await approved_for_nobody(desk, shown)


async def approved_for_nobody(desk: Desk, shown: dict[str, Any]) -> bool:
    """Return whether finding nobody would not hold the alert."""
    (broadcast,) = await desk.rows(
        "SELECT nobody_yet FROM dispatcher_broadcast WHERE alert_id = :id", id=shown["alert_id"]
    )
    return bool(broadcast["nobody_yet"])


@pytest.mark.shows("S05")
async def test_without_the_geofence_a_draft_is_kept_and_goes_no_further(desk: Desk) -> None:
    ada = desk.sign_in("ada")
    desk.geofence.down = True
    made = await desk.draft(ada)
    assert (made.status_code, made.json()["area"]["verified"]) == (201, False)
    submit = f"/v1/alerts/{made.json()['alert_id']}/submit"
    answer = await desk.client.post(submit, headers=ada)
    assert (answer.status_code, codes(answer)) == (503, {"area-unverified"})
    assert answer.headers["retry-after"]
    desk.geofence.down = False
    shown = (await desk.client.post(submit, headers=ada)).json()
    desk.geofence.down = True
    assert (await desk.approve(shown, desk.sign_in("ben"))).status_code == 503


@pytest.mark.shows("S05")
@pytest.mark.parametrize("fault", ["forging", "replaying"])
async def test_an_answer_that_is_not_the_geofences_counts_for_nothing(
    desk: Desk, fault: str
) -> None:
    setattr(desk.geofence, fault, True)
    made = (await desk.draft(desk.sign_in("ada"))).json()
    assert not made["area"]["verified"]
    assert made["count"] is None


@pytest.mark.shows("S11", "bad:A12", "bad:A13")
async def test_a_town_warns_its_own_people_only(desk: Desk) -> None:
    town = desk.sign_in("ada", town=NEW_HAVEN)
    assert (await desk.draft(town)).json()["town"] == NEW_HAVEN
    out_of_state = [[-72.93, 41.24], [-72.91, 41.24], [-72.92, 41.2399], [-72.93, 41.24]]
    for area in (
        {"include": [{"type": "feature", "kind": "town", "code": HARTFORD}]},
        {"include": [*AREA["include"], {"type": "feature", "kind": "town", "code": HARTFORD}]},
        {"include": [{"type": "geojson",
                      "geometry": {"type": "Polygon", "coordinates": [out_of_state]}}]},
    ):  # fmt: skip
        answer = await desk.draft(town, area=area)
        assert (answer.status_code, codes(answer)) == (403, {"outside-jurisdiction"})
    desk.geofence.towns = {}
    answer = await desk.draft(town)
    assert (answer.status_code, codes(answer)) == (422, {"town-boundary-missing"})


@pytest.mark.shows("S10", "O8", "bad:A23", "bad:R01")
async def test_another_town_sees_nothing(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada", town=NEW_HAVEN))
    stranger = desk.sign_in("eve", town=HARTFORD)
    path = f"/v1/alerts/{shown['alert_id']}"
    for method, url, body in (
        ("GET", path, None),
        ("GET", f"{path}/report", None),
        ("GET", f"{path}/deliveries", None),
        ("POST", f"{path}/submit", None),
        ("POST", f"{path}/approve", {"digest": shown["digest"], "count": 12}),
        ("POST", f"{path}/cancel", {"reason": "x"}),
    ):
        answer = await desk.client.request(method, url, json=body, headers=stranger)
        assert answer.status_code == 404, url
        assert codes(answer) == {"not-found"}
    listed = await desk.client.get("/v1/alerts", headers=stranger)
    assert listed.json()["alerts"] == []
    own = await desk.client.get("/v1/alerts", headers=desk.sign_in("x", town=NEW_HAVEN))
    assert shown["alert_id"] in [one["alert_id"] for one in own.json()["alerts"]]


@pytest.mark.shows("S13", "bad:J24", "bad:J25")
async def test_roles_decide(desk: Desk) -> None:
    _, key = await desk.enrol()
    for headers, status in (
        ({}, 401),
        ({"X-Api-Key": "ctp_aaaaaaaaaaaa_" + "x" * 43}, 401),
        (desk.sign_in("v", roles=("viewer",)), 403),
        (key, 403),
    ):
        answer = await desk.client.post("/v1/alerts", json=alert(), headers=headers)
        assert answer.status_code == status
        codes(answer)


@pytest.mark.shows("S03", "C4")
async def test_an_exercise_cannot_be_approved(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"), status="Exercise")
    assert shown["texts"]["en-US"]["sms"].startswith("CT Alert [EXERCISE ONLY]: ")
    answer = await desk.approve(shown, desk.sign_in("ben"))
    assert (answer.status_code, codes(answer)) == (409, {"exercise-not-sendable"})
    assert not await desk.rows(
        "SELECT 1 FROM dispatcher_broadcast WHERE alert_id = :id", id=shown["alert_id"]
    )


@pytest.mark.shows("M14", "bad:A23")
async def test_what_has_expired_is_not_approved(desk: Desk) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    shown = await desk.submitted(desk.sign_in("ada"), expires_at=soon)
    desk.clock.ahead = timedelta(minutes=3)
    answer = await desk.approve(shown, desk.sign_in("ben", minutes_ago=-3))
    assert (answer.status_code, codes(answer)) == (409, {"expired"})


@pytest.mark.shows("M8", "bad:A25")
async def test_one_person_cancels_and_the_correction_is_ready(desk: Desk) -> None:
    draft = (await desk.draft(desk.sign_in("ada"))).json()
    shown = await desk.approved()
    body, who = {"reason": "wrong street"}, desk.sign_in("cy")
    early = await desk.client.post(f"/v1/alerts/{draft['alert_id']}/cancel", json=body, headers=who)
    assert (early.status_code, codes(early)) == (409, {"state"})
    path = f"/v1/alerts/{shown['alert_id']}/cancel"
    answer = await desk.client.post(path, json=body, headers=who)
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelling")
    again = await desk.client.post(path, json=body, headers=who)
    assert again.status_code == 409
    stopped, correction = await desk.rows(
        "SELECT * FROM dispatcher_broadcast WHERE alert_id = :id ORDER BY version",
        id=shown["alert_id"],
    )
    assert (stopped["state"], stopped["reason"]) == ("stopped", "wrong street")
    assert (correction["kind"], correction["corrects_version"]) == ("correction", 1)
    assert correction["texts"]["es-US"]["sms"].startswith("CT Alert: CANCELADO.")
    assert "wrong street" not in str(correction["texts"])
    ended = await desk.rows(
        "SELECT value FROM dispatcher_outbox WHERE topic = 'alert.ended' AND key = :key",
        key=shown["alert_id"].encode(),
    )
    assert orjson.loads(ended[0]["value"])["data"]["reason"] == "cancelled"
