"""What a message's areas come to: the union of all; what nobody can resolve waits for a person."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.dispatcher.alerts.timers import timers
from tests.fakes_geofence import HARTFORD, NEW_HAVEN
from tests.service.dispatcher.alerts.cap.cap_messages import POLYGON, info, message, post
from tests.service.dispatcher.alerts.desk import AREA, Desk, codes, do_once

DATA = os.environ.get("CTALERT_TEST_DATA")
CIRCLE = "<circle>41.30,-72.92 1</circle>"
TRIANGLE = AREA["include"][0]
DISC = {"type": "circle", "lon": -72.92, "lat": 41.3, "radius_m": 1000.0}


def geocodes(*pairs: tuple[str, str]) -> str:
    """Return geocode elements."""
    return "".join(
        f"<geocode><valueName>{name}</valueName><value>{value}</value></geocode>"
        for name, value in pairs
    )


def asked(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    """Return geocodes as the geofence is asked about them."""
    return [{"type": "geocode", "scheme": name, "value": value} for name, value in pairs]


def areas(*insides: str) -> str:
    """Return what makes one <area> several."""
    return "</area><area><areaDesc>more</areaDesc>".join(insides)


SAME, UGC = ("SAME", "009009"), ("UGC", "CTZ002")
# NWS Boston wrote the second pair over two lines; any white space parts pairs.
SPACED = "<polygon>\n 41.30,-72.93\t41.30,-72.91  \r\n41.32,-72.92\n\n41.30,-72.93 </polygon>"
KINDS: dict[str, tuple[str, list[Any]]] = {
    "polygon": (POLYGON, [TRIANGLE]),
    "polygon in any white space": (SPACED, [TRIANGLE]),
    "circle": (CIRCLE, [DISC]),
    "circle in any white space": ("<circle>\n41.30,-72.92  \t1\n</circle>", [DISC]),
    "SAME": (geocodes(SAME), asked(SAME)),
    "UGC zone": (geocodes(UGC), asked(UGC)),
    "UGC county": (geocodes(("UGC", "CTC003")), asked(("UGC", "CTC003"))),
    "town": (geocodes(("FIPS", NEW_HAVEN)), asked(("FIPS", NEW_HAVEN))),
    "several codes": (geocodes(SAME, UGC, SAME), asked(SAME, UGC)),
    "polygon and circle": (POLYGON + CIRCLE, [TRIANGLE, DISC]),
    "several areas": (areas(POLYGON, CIRCLE, geocodes(SAME), geocodes(UGC)),
                      [TRIANGLE, DISC, *asked(SAME, UGC)]),
}  # fmt: skip


@pytest.mark.shows("C10", "C11", "C17")
@pytest.mark.parametrize("kind", KINDS)
async def test_all_areas_of_a_message_are_asked_for_together(desk: Desk, kind: str) -> None:
    inside, shapes = KINDS[kind]
    answer = await post(desk, message(desk.keys["sender"], info(area=inside)))
    assert answer.status_code == 202, answer.text
    assert (answer.json()["state"], answer.json()["hold"]) == ("pending_approval", None)
    assert desk.geofence.asked[-1]["area"] == {"include": shapes}


@pytest.mark.shows("C10", "C17")
@pytest.mark.parametrize(("more", "include"), [
    ((), [TRIANGLE]), ((geocodes(UGC),), [TRIANGLE, *asked(UGC)]),
])  # fmt: skip
async def test_codes_beside_shapes_are_asked_about_and_not_asked_for(
    desk: Desk, more: tuple[str, ...], include: list[Any]
) -> None:
    inside = areas(POLYGON + geocodes(SAME), *more)
    answer = await post(desk, message(desk.keys["sender"], info(area=inside)))
    assert (answer.json()["state"], answer.json()["hold"]) == ("pending_approval", None)
    assert desk.geofence.asked[-1]["area"] == {"include": include, "beside": asked(SAME)}
    assert "the shapes are used" in answer.json()["notes"]


UNKNOWN: dict[str, tuple[str, list[str]]] = {
    "another state": (geocodes(("SAME", "036061")), ["SAME 036061"]),
    "a zone not imported": (geocodes(("UGC", "CTZ099")), ["UGC CTZ099"]),
    "a part of a county": (geocodes(("SAME", "109001")), ["SAME 109001"]),
    "another scheme": (geocodes(("NUTS2", "BE21")), ["NUTS2 BE21"]),
    "no town": (geocodes(("TOWN", "Gondor")), ["TOWN Gondor"]),
    "one of two": (geocodes(SAME, ("SAME", "036061")), ["SAME 036061"]),
    "the scheme of one of two": (geocodes(SAME, ("NUTS2", "BE21")), ["NUTS2 BE21"]),
    "many": (geocodes(("SAME", "036061"), SAME, ("UGC", "NYC061"), ("NUTS2", "BE21")),
             ["SAME 036061", "UGC NYC061", "NUTS2 BE21"]),
    "in one of two areas": (areas(POLYGON, geocodes(("SAME", "036061"))), ["SAME 036061"]),
}  # fmt: skip


@pytest.mark.shows("C10", "C17", "M13", "S05")
@pytest.mark.parametrize("name", UNKNOWN)
async def test_an_unknown_code_holds_the_whole_message(desk: Desk, name: str) -> None:
    inside, unknown = UNKNOWN[name]
    answer = await post(desk, message(desk.keys["sender"], info(area=inside)))
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert (receipt["state"], receipt["digest"], receipt["count"]) == ("draft", None, None)
    assert receipt["hold"] == {"reason": "unknown-geocode", "codes": unknown}
    shown = await look(desk, receipt["alert_id"])
    assert shown["hold"] == receipt["hold"]
    assert not shown["area"]["verified"]
    for path, body in (("submit", None), ("approve", {"digest": "0", "count": 0})):
        refused = await desk.client.post(
            f"/v1/alerts/{receipt['alert_id']}/{path}", json=body, headers=desk.sign_in("ada")
        )
        assert refused.status_code == 409
        assert codes(refused) == ({"area-held"} if path == "submit" else {"state"})
    # Nobody asks again behind a person's back, not even when the code becomes known.
    desk.geofence.codes = {("SAME", "036061"): desk.geofence.codes["SAME", "009009"]}
    await do_once(timers(desk.context))
    assert (await look(desk, receipt["alert_id"]))["state"] == "draft"
    assert not await announced(desk, receipt["alert_id"])
    assert await paged(desk)


async def test_the_same_held_message_is_one_alert(desk: Desk) -> None:
    body = message(desk.keys["sender"], info(area=geocodes(("SAME", "036061"))))
    first, again = await post(desk, body), await post(desk, body)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json() == again.json()


@pytest.mark.shows("C10", "C17", "S01", "M13")
async def test_a_person_gives_a_held_message_its_area(desk: Desk) -> None:
    body = message(desk.keys["sender"], info(area=geocodes(("SAME", "036061"))))
    alert_id = (await post(desk, body)).json()["alert_id"]
    ada, ben, cy = (desk.sign_in(name) for name in ("ada", "ben", "cy"))
    put = await give(desk, alert_id, {"include": asked(SAME)}, ada)
    assert put.status_code == 200, put.text
    shown = put.json()
    assert (shown["state"], shown["hold"], shown["area_set_by"]) == ("draft", None, "staff:ada")
    assert shown["area"]["request"] == {"include": asked(SAME)}
    kept = await desk.rows(
        "SELECT area_received FROM dispatcher_alert WHERE alert_id = :id", id=alert_id
    )
    assert kept[0]["area_received"] == {"include": asked(("SAME", "036061"))}
    # It is still a person's to submit, and then another's to approve: never its author's.
    await do_once(timers(desk.context))
    assert (await look(desk, alert_id))["state"] == "draft"
    sent = await desk.client.post(f"/v1/alerts/{alert_id}/submit", headers=ben)
    assert sent.json()["state"] == "pending_approval"
    for who in (ada, ben):
        refused = await desk.approve(sent.json(), who)
        assert (refused.status_code, codes(refused)) == (403, {"same-person"})
    assert (await desk.approve(sent.json(), cy)).json()["state"] == "approved"
    assert await announced(desk, alert_id)


@pytest.mark.shows("S11", "S10", "S13", "bad:A12")
async def test_an_area_is_given_by_its_own_towns_managers_only(desk: Desk) -> None:
    sender, headers = await desk.enrol(town=NEW_HAVEN)
    body = message(sender, info(area=geocodes(("SAME", "036061"))))
    alert_id = (await post(desk, body, **headers)).json()["alert_id"]
    area = {"include": asked(("TOWN", NEW_HAVEN))}
    stranger = await give(desk, alert_id, area, desk.sign_in("dee", town=HARTFORD))
    assert stranger.status_code == 404
    viewer = await give(desk, alert_id, area, desk.sign_in("eve", roles=("viewer",)))
    assert viewer.status_code == 403
    own = desk.sign_in("ada", town=NEW_HAVEN)
    outside = await give(desk, alert_id, {"include": asked(("TOWN", HARTFORD))}, own)
    assert (outside.status_code, codes(outside)) == (403, {"outside-jurisdiction"})
    assert (await look(desk, alert_id))["hold"]
    assert (await give(desk, alert_id, area, own)).json()["hold"] is None


@pytest.mark.shows("S05", "bad:A01", "bad:A17")
@pytest.mark.parametrize(("area", "status", "code"), [
    (None, 422, "area-required"), ({}, 422, "area-required"),
    ({"include": []}, 422, "area-required"), ({"exclude": [TRIANGLE]}, 422, "include-required"),
    ({"include": asked(("SAME", "036061"))}, 422, "unknown-geocode"),
])  # fmt: skip
async def test_a_held_message_stays_held_over_a_bad_area(
    desk: Desk, area: Any, status: int, code: str
) -> None:
    body = message(desk.keys["sender"], info(area=geocodes(("SAME", "036061"))))
    alert_id = (await post(desk, body)).json()["alert_id"]
    refused = await give(desk, alert_id, area, desk.sign_in("ada"))
    assert (refused.status_code, code in codes(refused)) == (status, True)
    desk.geofence.down = True
    away = await give(desk, alert_id, {"include": [TRIANGLE]}, desk.sign_in("ada"))
    assert (away.status_code, codes(away)) == (503, {"area-unverified"})
    shown = await look(desk, alert_id)
    assert shown["hold"]["codes"] == ["SAME 036061"]
    assert shown["area_set_by"] is None


@pytest.mark.shows("bad:A26", "S02")
async def test_an_area_is_not_edited_once_it_is_submitted(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"))
    other = {"include": [DISC]}
    for approved in (False, True):
        if approved:
            assert (await desk.approve(shown, desk.sign_in("ben"))).status_code == 200
        refused = await give(desk, shown["alert_id"], other, desk.sign_in("cy"))
        assert (refused.status_code, codes(refused)) == (409, {"state"})
        assert (await look(desk, shown["alert_id"]))["digest"] == shown["digest"]


@pytest.mark.shows("S02")
async def test_a_draft_of_staff_gets_another_area_too(desk: Desk) -> None:
    ada = desk.sign_in("ada")
    draft = (await desk.draft(ada)).json()
    changed = (await give(desk, draft["alert_id"], {"include": [DISC]}, ada)).json()
    assert changed["digest"] != draft["digest"]
    desk.clock.ahead = timedelta(hours=2)
    late = await give(desk, draft["alert_id"], {"include": [DISC]}, ada)
    assert (late.status_code, codes(late)) == (409, {"expired"})


@pytest.mark.shows("S05", "C17")
async def test_a_code_found_unknown_after_the_geofence_came_back_holds_too(desk: Desk) -> None:
    desk.geofence.down = True
    body = message(desk.keys["sender"], info(area=geocodes(SAME, ("UGC", "CTZ099"))))
    receipt = (await post(desk, body)).json()
    assert (receipt["state"], receipt["hold"]) == ("draft", None)
    desk.geofence.down = False
    await do_once(timers(desk.context))
    shown = await look(desk, receipt["alert_id"])
    assert shown["hold"] == {"reason": "unknown-geocode", "codes": ["UGC CTZ099"]}
    asked_before = len(desk.geofence.asked)
    await do_once(timers(desk.context))
    assert len(desk.geofence.asked) == asked_before


async def look(desk: Desk, alert_id: str) -> dict[str, Any]:
    """Return an alert as staff sees it."""
    answer = await desk.client.get(f"/v1/alerts/{alert_id}", headers=desk.sign_in("zoe"))
    return dict(answer.json())


async def give(desk: Desk, alert_id: str, area: Any, who: dict[str, str]) -> Any:
    """Give an alert an area."""
    return await desk.client.put(f"/v1/alerts/{alert_id}/area", json={"area": area}, headers=who)


async def announced(desk: Desk, alert_id: str) -> bool:
    """Say whether an alert was announced as approved."""
    return bool(await desk.rows(
        "SELECT 1 FROM dispatcher_outbox WHERE topic = 'alert.approved' AND key = :key",
        key=alert_id.encode(),
    ))  # fmt: skip


async def paged(desk: Desk) -> bool:
    """Say whether somebody on duty was called about a held alert."""
    return bool(await desk.rows(
        "SELECT 1 FROM dispatcher_page WHERE reason_key LIKE :key", key="hold:%:area"
    ))  # fmt: skip


if DATA:

    @pytest.mark.shows("C10", "C17")
    async def test_a_real_message_of_elsewhere_is_held_with_every_code(desk: Desk) -> None:
        """Its geometry is codes alone, SAME and UGC side by side, as the NWS writes zones."""
        sample = (Path(DATA or "") / "cap" / "samples" / "nws_update_geocodes.xml").read_text()
        pairs = re.findall(
            r"<geocode>\s*<valueName>(SAME|UGC)</valueName>\s*<value>(\w+)</value>", sample
        )
        assert {name for name, _ in pairs} == {"SAME", "UGC"}
        body = message(desk.keys["sender"], info(area=geocodes(*pairs)))
        receipt = (await post(desk, body)).json()
        assert (receipt["state"], receipt["hold"]["reason"]) == ("draft", "unknown-geocode")
        assert receipt["hold"]["codes"] == [f"{name} {value}" for name, value in pairs]
