"""Alerts of other towns, other persons and other partners: not seen, not moved, not reused."""

from uuid import uuid4

import pytest

from tests.fakes_geofence import HARTFORD, NEW_HAVEN
from tests.service.dispatcher.alerts.desk import Desk, alert


@pytest.mark.shows("S10", "bad:A23", "bad:R01")
async def test_no_door_leads_to_another_towns_alert(dispatcher: Desk) -> None:
    ada = dispatcher.sign_in("ada", town=NEW_HAVEN)
    shown = await dispatcher.submitted(ada)
    roles = ("manager", "viewer", "admin")
    stranger = dispatcher.sign_in("eve", roles=roles, town=HARTFORD)
    url = f"/v1/alerts/{shown['alert_id']}"
    for method, path, body in (
        ("GET", url, None), ("GET", f"{url}/report", None), ("GET", f"{url}/deliveries", None),
        ("POST", f"{url}/submit", None), ("POST", f"{url}/cancel", {"reason": "mine"}),
        ("POST", f"{url}/approve", {"digest": shown["digest"], "count": shown["count"]}),
    ):  # fmt: skip
        theirs = await dispatcher.client.request(method, path, json=body, headers=stranger)
        nobodys = await dispatcher.client.request(
            method, path.replace(shown["alert_id"], str(uuid4())), json=body, headers=stranger
        )
        assert theirs.status_code == nobodys.status_code == 404, path
        same = ("type", "title", "detail", "status")
        assert [theirs.json()[n] for n in same] == [nobodys.json()[n] for n in same]
    assert (await dispatcher.client.get("/v1/alerts", headers=stranger)).json()["alerts"] == []
    after = (await dispatcher.client.get(url, headers=ada)).json()
    assert (after["state"], after["digest"]) == ("pending_approval", shown["digest"])


@pytest.mark.parametrize("town", ["", "%", "' OR ''='", "*,x", "NULL", " *"])
@pytest.mark.shows("S10", "S32")
async def test_a_strange_town_in_a_token_sees_nothing(dispatcher: Desk, town: str) -> None:
    shown = await dispatcher.submitted(dispatcher.sign_in("ada"))
    eve = dispatcher.sign_in("eve", town=town)
    answer = await dispatcher.client.get(f"/v1/alerts/{shown['alert_id']}", headers=eve)
    assert answer.status_code == (404 if town else 401)


@pytest.mark.shows("bad:J26")
async def test_a_key_is_its_principals_own(dispatcher: Desk) -> None:
    key, body = {"Idempotency-Key": uuid4().hex}, alert()
    made = [
        await dispatcher.client.post("/v1/alerts", json=body, headers={**who, **key})
        for who in (dispatcher.sign_in("ada"), dispatcher.sign_in("ben"))
    ]
    assert [one.status_code for one in made] == [201, 201]
    assert made[0].json()["alert_id"] != made[1].json()["alert_id"]


@pytest.mark.shows("S01", "bad:A23")
async def test_another_token_role_or_town_is_no_other_person(dispatcher: Desk) -> None:
    shown = await dispatcher.submitted(dispatcher.sign_in("ada", town=NEW_HAVEN))
    for who in (
        dispatcher.sign_in("ada", town=NEW_HAVEN, minutes_ago=1),
        dispatcher.sign_in("ada"),
        dispatcher.sign_in("ada", roles=("manager", "admin", "viewer")),
    ):
        assert (await dispatcher.approve(shown, who)).status_code == 403


@pytest.mark.shows("S34", "S33")
async def test_a_line_separator_cannot_spoil_every_mail(dispatcher: Desk) -> None:
    text = {"headline": "Boil\u2028your water", "description": "A main\u2029broke."}
    made = await dispatcher.draft(dispatcher.sign_in("ada"), texts={"en-US": text})
    assert made.status_code == 201
    assert not {"\u2028", "\u2029"} & set(str(made.json()["texts"]))
    spoiled = {"en-US": {**text, "email_subject": "Boil\u2028your water"}}
    refused = await dispatcher.draft(dispatcher.sign_in("ada"), texts=spoiled)
    assert refused.status_code == 422
