"""The brakes before a send: size, drift, and an answer of the geofence that is no area."""

import zlib
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
import shapely
from sqlalchemy.exc import IntegrityError

from tests.fakes_geofence import NEW_HAVEN
from tests.service.dispatcher.alerts.cap.cap_messages import message, post
from tests.service.dispatcher.alerts.desk import Desk, codes, open_desk

LARGE: dict[str, dict[str, Any]] = {
    "many people": {"people": 50_001},
    "much land": {"km2": 500.1},
    "both": {"people": 1_000_000, "km2": 14_000.0},
}


@pytest.mark.shows("M13", "S04")
@pytest.mark.parametrize("size", LARGE)
async def test_an_alert_of_unusual_size_needs_somebody_of_the_state(desk: Desk, size: str) -> None:
    for name, value in LARGE[size].items():
        setattr(desk.geofence, name, value)
    ada, ben = (desk.sign_in(name, town=NEW_HAVEN) for name in ("ada", "ben"))
    shown = await desk.submitted(ada)
    assert shown["needs_state_approver"]
    refused = await desk.approve(shown, ben)
    assert (refused.status_code, codes(refused)) == (403, {"needs-state-approver"})
    wrong = await desk.approve(shown, desk.sign_in("cy"), count=shown["count"] + 1)
    assert (wrong.status_code, codes(wrong)) == (422, {"count-mismatch"})
    assert not await opened(desk, shown["alert_id"])
    approved = await desk.approve(shown, desk.sign_in("cy"))
    assert (approved.status_code, approved.json()["approved_by"]) == (200, "staff:cy")


@pytest.mark.shows("M13")
async def test_two_of_a_town_decide_on_what_a_town_is(desk: Desk) -> None:
    desk.geofence.people, desk.geofence.km2 = 50_000, 500.0
    shown = await desk.submitted(desk.sign_in("ada", town=NEW_HAVEN))
    assert not shown["needs_state_approver"]
    assert (await desk.approve(shown, desk.sign_in("ben", town=NEW_HAVEN))).status_code == 200


@pytest.mark.shows("M13", "S01")
async def test_of_the_state_too_two_are_needed(desk: Desk) -> None:
    desk.geofence.people = 50_001
    shown = await desk.submitted(desk.sign_in("ada"))
    refused = await desk.approve(shown, desk.sign_in("ada"))
    assert (refused.status_code, codes(refused)) == (403, {"same-person"})


@pytest.mark.shows("M12", "M13")
async def test_what_grew_beyond_a_town_since_it_was_shown_is_looked_at_again(desk: Desk) -> None:
    """Within a tenth nobody is asked again, but the bound is the bound."""
    desk.geofence.people = 49_000
    shown = await desk.submitted(desk.sign_in("ada", town=NEW_HAVEN))
    desk.geofence.people = 51_000
    refused = await desk.approve(shown, desk.sign_in("ben", town=NEW_HAVEN))
    assert (refused.status_code, codes(refused)) == (403, {"needs-state-approver"})
    assert not await opened(desk, shown["alert_id"])


@pytest.mark.shows("M12")
@pytest.mark.parametrize(("before", "now", "asked_again"), [
    (100, 110, False), (100, 111, True), (100, 90, False), (100, 89, True), (0, 1, True),
    (3, 3, False), (3, 4, True),
])  # fmt: skip
async def test_more_than_a_tenth_is_asked_again(
    desk: Desk, before: int, now: int, asked_again: bool
) -> None:
    desk.geofence.people = before
    shown = await desk.submitted(desk.sign_in("ada"))
    desk.geofence.people = now
    answer = await desk.approve(shown, desk.sign_in("ben"))
    assert (answer.status_code == 409) is asked_again, answer.text
    if asked_again:
        assert codes(answer) == {"estimate-drifted"}
        after = await desk.client.get(f"/v1/alerts/{shown['alert_id']}", headers=desk.sign_in("z"))
        assert (after.json()["count"], after.json()["state"]) == (now, "pending_approval")


def packed(geometry: shapely.Geometry | bytes) -> dict[str, str]:
    """Return a geometry as the geofence answers it, its digest right."""
    wkb = geometry if isinstance(geometry, bytes) else shapely.to_wkb(geometry)
    return {"wkb": b64encode(zlib.compress(wkb)).decode(), "digest": sha256(wkb).hexdigest()}


BOW_TIE = shapely.Polygon([(-72.8, 41.5), (-72.7, 41.6), (-72.7, 41.5), (-72.8, 41.6)])
# All of it truly signed by the geofence's own key.
ANSWERS: dict[str, dict[str, Any]] = {
    "null": {"wkb": None},
    "empty text": {"wkb": ""},
    "a list": {"wkb": []},
    "no base64": {"wkb": "***"},
    "nothing packed": packed(b""),
    "garbage packed": packed(b"everywhere"),
    "polygon of nothing": packed(shapely.Polygon()),
    "multipolygon of nothing": packed(shapely.MultiPolygon()),
    "collection of nothing": packed(shapely.GeometryCollection()),
    "point": packed(shapely.Point(-72.92, 41.31)),
    "line": packed(shapely.LineString([(-72.8, 41.5), (-72.6, 41.7)])),
    "flat": packed(shapely.Polygon([(-72.8, 41.5), (-72.6, 41.7), (-72.8, 41.5)])),
    "crossed": packed(BOW_TIE),
    "nowhere": packed(shapely.to_wkb(BOW_TIE).replace(b"\x33\x33\x33\x33\x33\x33", b"\xff" * 6)),
    "digest of another": {"digest": "0" * 64},
    "digest null": {"digest": None},
    "no estimate": {"estimate": None},
    "estimate null": {"estimate": {"people": None}},
    "estimate below nobody": {"estimate": {"people": -1}},
    "estimate true": {"estimate": {"people": True}},
    "no size": {"area_km2": None},
    "size as text": {"area_km2": "1.5"},
    "size below nothing": {"area_km2": -1.0},
    "larger than the Earth": {"area_km2": 1e12},
}


@pytest.mark.shows("S05", "M13", "bad:A02")
@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_that_is_no_area_is_believed_by_nobody(desk: Desk, name: str) -> None:
    """At every step that asks: drafts stay without an area, and what waits is not approved."""
    ada = desk.sign_in("ada")
    shown = await desk.submitted(ada)
    desk.geofence.said = ANSWERS[name]
    made = (await desk.draft(ada)).json()
    assert (made["state"], made["area"]["verified"], made["count"]) == ("draft", False, None)
    submitted = await desk.client.post(f"/v1/alerts/{made['alert_id']}/submit", headers=ada)
    assert (submitted.status_code, codes(submitted)) == (503, {"area-unverified"})
    approved = await desk.approve(shown, desk.sign_in("ben"))
    assert (approved.status_code, codes(approved)) == (503, {"area-unverified"})
    receipt = (await post(desk, message(desk.keys["sender"]))).json()
    assert (receipt["state"], receipt["digest"], receipt["count"]) == ("draft", None, None)
    for alert_id in (shown["alert_id"], made["alert_id"], receipt["alert_id"]):
        assert not await opened(desk, alert_id)


@pytest.mark.shows("S05", "M13")
@pytest.mark.parametrize("change", [
    "area_wkb = NULL", "area_wkb = ''", "area_digest = NULL", "area_digest = ''",
    "expected_people = NULL", "area_hold = 'unknown-geocode'",
])  # fmt: skip
async def test_not_even_the_database_takes_an_alert_without_an_area(
    desk: Desk, change: str
) -> None:
    shown = await desk.approved()
    with pytest.raises(IntegrityError):
        await desk.run(
            f"UPDATE dispatcher_alert SET {change} WHERE alert_id = :id",  # noqa: S608
            id=shown["alert_id"],
        )


@pytest.mark.shows("bad:J27", "S43")
async def test_a_burst_of_drafts_or_messages_is_told_to_wait(
    database: Callable[[str], Any], keyrings: Any
) -> None:
    bounds = {"max_drafts_per_minute": 2, "max_cap_per_minute": 2}
    async with open_desk(database("dispatcher"), keyrings, **bounds) as desk:
        sender, headers = await desk.enrol()
        desk.keys.update(headers)
        dora = desk.sign_in("dora")
        # A minute may end between two of them, and begin the count anew: once.
        drafts = [await desk.draft(dora) for _ in range(6)]
        posts = [await post(desk, message(sender)) for _ in range(6)]
        other = await desk.draft(desk.sign_in("erik"))
        for answers, taken in ((drafts, 201), (posts, 202)):
            assert {one.status_code for one in answers} == {taken, 429}
            refused = [one for one in answers if one.status_code == 429]
            assert all(int(one.headers["Retry-After"]) >= 1 for one in refused)
            codes(refused[0])
        assert other.status_code == 201


async def opened(desk: Desk, alert_id: str) -> bool:
    """Say whether anything of an alert went on to delivery or to the geofence."""
    rows = await desk.rows(
        """SELECT 1 FROM dispatcher_broadcast WHERE alert_id = CAST(:id AS uuid)
           UNION ALL SELECT 1 FROM dispatcher_outbox
            WHERE topic = 'alert.approved' AND key = :key""",
        id=alert_id, key=alert_id.encode(),
    )  # fmt: skip
    return bool(rows)
