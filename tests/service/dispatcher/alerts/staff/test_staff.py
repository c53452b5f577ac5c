"""Partners and paging on a real database."""

from typing import Any

import orjson
import pytest

from services.dispatcher.alerts.timers import timers
from tests.fakes_geofence import HARTFORD, NEW_HAVEN
from tests.service.dispatcher.alerts.desk import Desk, do_once


@pytest.mark.shows("S13")
async def test_a_key_is_shown_once_and_kept_as_a_hash(desk: Desk) -> None:
    sender, headers = await desk.enrol()
    kept = await desk.rows("SELECT * FROM dispatcher_partner WHERE sender = :s", s=sender)
    assert headers["X-Api-Key"] not in str(kept)
    assert len(kept[0]["key_hash"]) == 32
    await desk.run("UPDATE dispatcher_partner SET disabled_at = now() WHERE sender = :s", s=sender)
    headers["Content-Type"] = "application/cap+xml"
    answer = await desk.client.post("/v1/cap", content=b"<a/>", headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize("change", [
    {"sender": "a b"}, {"sender": "a,b"}, {"sender": ""}, {"categories": ["Weather"]},
    {"town": "Kent"}, {"name": ""}, {"role": "admin"},
])  # fmt: skip
@pytest.mark.shows("S12")
async def test_bad_partners_are_refused(desk: Desk, change: dict[str, Any]) -> None:
    body = {"name": "W", "sender": "w@example.org", "categories": [], "town": "*", **change}
    admin = desk.sign_in("root", roles=("admin",))
    answer = await desk.client.post("/v1/partners", json=body, headers=admin)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.shows("S13", "S10")
async def test_only_admins_enrol_and_for_their_own_town(desk: Desk) -> None:
    body = {"name": "W", "sender": "own@example.org", "categories": [], "town": HARTFORD}
    manager = await desk.client.post("/v1/partners", json=body, headers=desk.sign_in("m"))
    assert manager.status_code == 403
    town = desk.sign_in("root", roles=("admin",), town=NEW_HAVEN)
    other = await desk.client.post("/v1/partners", json=body, headers=town)
    assert other.status_code == 403
    sender, _ = await desk.enrol()
    admin = desk.sign_in("root", roles=("admin",))
    taken = await desk.client.post("/v1/partners", json={**body, "sender": sender}, headers=admin)
    assert taken.status_code == 409


async def test_one_page_a_reason_and_ten_minutes(desk: Desk) -> None:
    for number in range(5):
        await desk.context.page(f"group sms stalls at offset {number}")
    await desk.context.page("disk is full")
    written = await desk.rows(
        "SELECT value FROM dispatcher_outbox WHERE topic = 'notice.requested' ORDER BY id"
    )
    assert len(written) == 2
    notice = orjson.loads(written[0]["value"])["data"]
    assert (notice["template"], notice["channel"]) == ("duty_page", "email")
    assert "duty@example.org" not in str(written)
    sealer = desk.context.keyring.sealer
    assert sealer is not None
    assert sealer.unseal(notice["address_sealed"], context="address") == b"duty@example.org"
    values = sealer.unseal(notice["values_sealed"], context=f"notice:{notice['notice_id']}")
    assert orjson.loads(values) == {"reason": "group sms stalls at offset 0"}
    await desk.run("UPDATE dispatcher_page SET paged_at = paged_at - interval '11 minutes'")
    await desk.context.page("disk is full")
    again = await desk.rows("SELECT 1 FROM dispatcher_outbox WHERE topic = 'notice.requested'")
    assert len(again) == 3
    await desk.run("UPDATE dispatcher_page SET paged_at = paged_at - interval '25 hours'")
    await do_once(timers(desk.context))
    assert await desk.rows("SELECT 1 FROM dispatcher_page") == []
