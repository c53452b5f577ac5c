"""Alerts that the room refuses, and what it keeps of them: nothing."""

from typing import Any
from uuid import uuid4

import pytest

from tests.fakes_geofence import NEW_HAVEN
from tests.service.dispatcher.alerts.desk import Desk, alert, codes

BAD = [
    ("A01", {"area": None}, 422, "area-required"),
    ("A01", {"area": {"include": []}}, 422, "area-required"),
    ("A17", {"area": {"include": [{"type": "feature", "kind": "town", "code": "1"}]}}, 422,
     "unknown-feature"),
    ("A18", {"texts": {"en-US": {"headline": " ", "description": "x"}}}, 422, "blank"),
    ("A18", {"texts": {"en-US": {"headline": "", "description": "x"}}}, 422, None),
    ("A18", {"texts": {"en-US": {"headline": "\u200b", "description": "x"}}}, 422, "blank"),
    ("A18", {"texts": {"en-US": {"headline": "x", "description": "\u2060"}}}, 422, "blank"),
    ("A18", {"event": " "}, 422, "blank"),
    ("A18", {"event": "\u200b\ufeff"}, 422, "blank"),
    ("A18", {"texts": {"en-US": {"headline": "x", "description": "y" * 1601}}}, 422, None),
    ("A18", {"texts": {"en-US": {"headline": "x", "description": "a\u202eb"}}}, 422, "bidi-char"),
    ("A18", {"texts": {"en-US": {"headline": "x", "description": "a\u0007b"}}}, 422,
     "control-char"),
    ("A18", {"texts": {"en-US": {"headline": "x", "description": "y", "sms": "z" * 1600}}}, 422,
     "too-long"),
    ("A18", {"texts": {}}, 422, None),
    ("A18", {"texts": {"xx": {"headline": "x", "description": "y"}}}, 422, "language"),
    ("A20", {"expires_at": "2020-01-01T00:00:00Z"}, 422, "expires-out-of-bounds"),
    ("A20", {"expires_at": "2099-01-01T00:00:00Z"}, 422, "expires-out-of-bounds"),
    ("A20", {"expires_at": "2026-01-01T00:00:00"}, 422, None),
    ("A21", {"severity": "Bad"}, 422, None),
    ("A21", {"urgency": "now"}, 422, None),
    ("A21", {"certainty": "Likely "}, 422, None),
    ("A22", {"channels": []}, 422, None),
    ("A22", {"channels": ["fax"]}, 422, None),
    ("A28", {"status": "Test"}, 422, None),
    ("J11", {"state": "approved"}, 422, None),
    ("J12", {"emergency": 1}, 422, None),
]  # fmt: skip


@pytest.mark.parametrize(("row", "change", "status", "code"), [
    pytest.param(*one, marks=pytest.mark.shows(f"bad:{one[0]}")) for one in BAD
])  # fmt: skip
async def test_bad_alerts_are_refused(
    desk: Desk, row: str, change: dict[str, Any], status: int, code: str | None
) -> None:
    before = await desk.rows("SELECT count(*) AS n FROM dispatcher_alert")
    answer = await desk.draft(desk.sign_in("ada"), **change)
    assert answer.status_code == status, answer.text
    assert code is None or code in codes(answer)
    assert await desk.rows("SELECT count(*) AS n FROM dispatcher_alert") == before


@pytest.mark.shows("bad:J26")
async def test_a_key_makes_one_alert(desk: Desk) -> None:
    ada, body = desk.sign_in("ada"), alert()
    none = await desk.client.post("/v1/alerts", json=body, headers=ada)
    assert none.status_code == 428
    headers = {**ada, "Idempotency-Key": "one"}
    first = await desk.client.post("/v1/alerts", json=body, headers=headers)
    again = await desk.client.post("/v1/alerts", json=body, headers=headers)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await desk.client.post("/v1/alerts", json=alert(event="Else"), headers=headers)
    assert other.status_code == 422


@pytest.mark.shows("bad:J22")
async def test_ids_that_are_none(desk: Desk) -> None:
    for one in ("nonsense", str(uuid4())):
        answer = await desk.client.get(f"/v1/alerts/{one}", headers=desk.sign_in("ada"))
        assert answer.status_code == 404
        codes(answer)


async def test_too_many_alerts_in_an_hour(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada", town=NEW_HAVEN))
    await desk.run("DELETE FROM dispatcher_rate")
    settings = desk.context.settings.model_copy(update={"max_alerts_per_hour": 1})
    object.__setattr__(desk.context, "settings", settings)
    try:
        who = desk.sign_in("ben", town=NEW_HAVEN)
        assert (await desk.approve(shown, who)).status_code == 200
        second = await desk.submitted(desk.sign_in("ada", town=NEW_HAVEN))
        answer = await desk.approve(second, who)
        assert answer.status_code == 429
        assert answer.headers["retry-after"]
    finally:
        settings = settings.model_copy(update={"max_alerts_per_hour": 10_000})
        object.__setattr__(desk.context, "settings", settings)
