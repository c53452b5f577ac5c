"""An alert over a saved area keeps the geometry it was made with, whatever becomes of the area."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.contract.apis.desk import Apis
from tests.contract.apis.test_problems import check
from tests.service.dispatcher.alerts.desk import alert

SHELTON, DERBY = "0900168170", "0900919550"
SQUARES = {SHELTON: (-73.2, 41.3), DERBY: (-73.1, 41.3)}
LARGE, SMALL = 2_000, 500


def circle(radius_m: int) -> dict[str, Any]:
    """Return an area of one circle in Shelton."""
    shape = {"type": "circle", "lon": -73.15, "lat": 41.35, "radius_m": radius_m}
    return {"include": [shape]}


@pytest.fixture(scope="module")
async def two_towns(apis: Apis) -> Apis:
    """The applications with two towns imported."""
    near = apis["geofence"]
    features = [
        {
            "type": "Feature",
            "properties": {"geoid": code, "name": code},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, y], [x + 0.1, y], [x + 0.1, y + 0.1], [x, y + 0.1], [x, y]]],
            },
        }
        for code, (x, y) in SQUARES.items()
    ]
    body = {"type": "FeatureCollection", "features": features}
    answer = await near.client.post("/v1/layers/town", json=body, headers=near.headers("admin"))
    assert answer.status_code in (200, 201), answer.text
    return apis


async def save(apis: Apis, radius_m: int, *, shared: bool = False) -> dict[str, Any]:
    """Save an area of Shelton's."""
    near = apis["geofence"]
    headers = {**near.headers("manager", town=SHELTON), "Idempotency-Key": uuid4().hex}
    body = {"name": uuid4().hex, "area": circle(radius_m), "shared": shared}
    answer = await near.client.post("/v1/saved-areas", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def edit(apis: Apis, saved: dict[str, Any], radius_m: int) -> None:
    """Give a saved area another size."""
    near = apis["geofence"]
    answer = await near.client.put(
        f"/v1/saved-areas/{saved['saved_area_id']}",
        json={"name": saved["name"], "area": circle(radius_m), "shared": saved["shared"]},
        headers={**near.headers("manager", town=SHELTON), "If-Match": "*"},
    )
    assert answer.status_code == 200, answer.text


async def draft(
    apis: Apis, saved: dict[str, Any], *, town: str = SHELTON, **version: int
) -> httpx2.Response:
    """Draft an alert over a saved area."""
    api = apis["dispatcher"]
    shape = {"type": "saved", "saved_area_id": saved["saved_area_id"], **version}
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    headers = {**api.headers("manager", town=town), "Idempotency-Key": uuid4().hex}
    body = alert(area={"include": [shape]}, expires_at=expires)
    return await api.client.post("/v1/alerts", json=body, headers=headers)


async def act(
    apis: Apis, alert_id: str, what: str, *, subject: str = "ada", **body: Any
) -> httpx2.Response:
    """Submit or approve an alert."""
    api = apis["dispatcher"]
    headers = api.headers("manager", subject=subject, town=SHELTON)
    path = f"/v1/alerts/{alert_id}/{what}"
    return await api.client.post(path, headers=headers, **({"json": body} if body else {}))


async def shown(apis: Apis, alert_id: str) -> dict[str, Any]:
    """Return an alert as it is now."""
    api = apis["dispatcher"]
    headers = api.headers("viewer", town=SHELTON)
    return dict((await api.client.get(f"/v1/alerts/{alert_id}", headers=headers)).json())


@pytest.mark.shows("G7")
async def test_an_approved_alert_keeps_its_area_when_the_saved_one_is_edited(
    two_towns: Apis,
) -> None:
    saved = await save(two_towns, SMALL)
    made = (await draft(two_towns, saved)).json()
    assert made["area"]["digest"] == saved["digest"]
    submitted = (await act(two_towns, made["alert_id"], "submit")).json()
    approved = await act(
        two_towns, made["alert_id"], "approve", subject="ben",
        digest=submitted["digest"], count=submitted["count"], nobody_yet=True,
    )  # fmt: skip
    assert approved.status_code == 200, approved.text
    await edit(two_towns, saved, LARGE)
    now = await shown(two_towns, made["alert_id"])
    assert now["state"] == "approved"
    assert (now["digest"], now["area"]) == (submitted["digest"], submitted["area"])
    assert now["area"]["digest"] == saved["digest"]


@pytest.mark.shows("G7", "S02")
async def test_a_saved_area_edited_before_approval_is_looked_at_again(two_towns: Apis) -> None:
    saved = await save(two_towns, SMALL)
    alerts = [(await draft(two_towns, saved, **version)).json() for version in ({}, {"version": 1})]
    seen = [(await act(two_towns, one["alert_id"], "submit")).json() for one in alerts]
    await edit(two_towns, saved, LARGE)
    newest, first = [
        await act(
            two_towns, one["alert_id"], "approve", subject="ben",
            digest=one["digest"], count=one["count"], nobody_yet=True,
        )
        for one in seen
    ]  # fmt: skip
    # Whoever meant the newest is asked again; whoever meant a version gets that version.
    check(newest, 409)
    assert first.status_code == 200, first.text
    assert first.json()["area"]["digest"] == saved["digest"]
    assert (await shown(two_towns, seen[0]["alert_id"]))["state"] == "pending_approval"


@pytest.mark.shows("G7", "S10", "S11")
async def test_another_towns_area_is_not_there_or_lies_outside(two_towns: Apis) -> None:
    own, shared = await save(two_towns, SMALL), await save(two_towns, SMALL, shared=True)
    hidden = await draft(two_towns, own, town=DERBY)
    problem = check(hidden, 422, "unknown-saved-area")
    assert problem["errors"][0]["pointer"] == "/area/include/0"
    # What is shared can be seen, and still lies where the other town may not alert.
    outside = await draft(two_towns, shared, town=DERBY)
    check(outside, 403, "outside-jurisdiction")
    assert (await draft(two_towns, shared, town="*")).status_code == 201
