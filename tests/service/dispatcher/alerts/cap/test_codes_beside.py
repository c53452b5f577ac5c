"""Codes beside a shape add nobody, are never silent, and hold what may be missing a place here."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from services.dispatcher.alerts.timers import timers
from tests.fakes_geofence import CODES
from tests.service.dispatcher.alerts.cap.cap_messages import POLYGON, info, message, post
from tests.service.dispatcher.alerts.cap.test_cap_areas import (
    CIRCLE,
    TRIANGLE,
    announced,
    areas,
    asked,
    geocodes,
    give,
    look,
    paged,
)
from tests.service.dispatcher.alerts.desk import Desk, codes, do_once

DATA = os.environ.get("CTALERT_TEST_DATA")
SAME, NEW_YORK = ("SAME", "009009"), ("SAME", "036061")


def beside(*codes: tuple[str, bool | None], beyond: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return codes as a receipt lists them."""
    return [{"code": code, "known": known, "beyond_state": code in beyond} for code, known in codes]


async def received(desk: Desk, area: str) -> dict[str, Any]:
    """Have a message received; return its receipt, which says what staff see."""
    answer = await post(desk, message(desk.keys["sender"], info(area=area)))
    assert answer.status_code == 202, answer.text
    receipt: dict[str, Any] = answer.json()
    shown = await look(desk, receipt["alert_id"])
    for name in ("hold", "codes_beside_shapes", "notes", "state"):
        assert shown[name] == receipt[name]
    return receipt


PASSING: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "known": (POLYGON + geocodes(SAME, ("UGC", "CTZ002")),
              beside(("SAME 009009", True), ("UGC CTZ002", True))),
    "of another state": (POLYGON + geocodes(NEW_YORK, ("UGC", "NYC061"), ("UGC", "MAZ002")),
                         beside(("SAME 036061", False), ("UGC NYC061", False),
                                ("UGC MAZ002", False),
                                beyond=("SAME 036061", "UGC NYC061", "UGC MAZ002"))),
    "of both, beside a circle": (CIRCLE + geocodes(SAME, ("FIPS", "36061")),
                                 beside(("SAME 009009", True), ("FIPS 36061", False),
                                        beyond=("FIPS 36061",))),
    "none": (POLYGON, []),
    "asked for in another area": (areas(POLYGON + geocodes(SAME), geocodes(SAME)), []),
    "beside two shapes": (areas(POLYGON + geocodes(SAME), CIRCLE + geocodes(SAME)),
                          beside(("SAME 009009", True))),
}  # fmt: skip


@pytest.mark.shows("C10", "C17")
@pytest.mark.parametrize("name", PASSING)
async def test_codes_that_shapes_stand_for_are_listed_and_late_nothing(
    desk: Desk, name: str
) -> None:
    area, listed = PASSING[name]
    receipt = await received(desk, area)
    assert (receipt["state"], receipt["hold"]) == ("pending_approval", None)
    assert receipt["codes_beside_shapes"] == listed
    approved = await desk.approve(await look(desk, receipt["alert_id"]), desk.sign_in("ada"))
    assert approved.json()["state"] == "approved"
    assert approved.json()["codes_beside_shapes"] == listed
    assert await announced(desk, receipt["alert_id"])


async def test_the_area_is_the_shapes_alone(desk: Desk) -> None:
    receipt = await received(desk, POLYGON + geocodes(SAME, NEW_YORK))
    drawn = {"include": [TRIANGLE]}
    with_codes = desk.geofence.asked[-1]["area"]
    assert with_codes == {**drawn, "beside": asked(SAME, NEW_YORK)}
    # What the geofence makes of both has the same digest.
    made = (await desk.draft(desk.sign_in("ada"), area=drawn)).json()
    assert made["area"]["digest"] == (await look(desk, receipt["alert_id"]))["area"]["digest"]


@pytest.mark.shows("C17", "C10")
async def test_nobody_else_puts_codes_beside_the_shapes_of_a_message(desk: Desk) -> None:
    listed = beside(("SAME 009009", None), ("UGC CTZ099", None))
    desk.geofence.down = True
    receipt = await received(desk, POLYGON + geocodes(SAME, ("UGC", "CTZ099")))
    desk.geofence.down = False
    ada, other = desk.sign_in("ada"), {"include": [TRIANGLE], "beside": asked(("UGC", "CTZ002"))}
    for refused in (await give(desk, receipt["alert_id"], other, ada),
                    await desk.draft(ada, area=other)):  # fmt: skip
        assert (refused.status_code, codes(refused)) == (422, {"unknown-member"})
        assert refused.json()["errors"][0]["pointer"] == "/area/beside"
    given = await give(desk, receipt["alert_id"], {"include": [TRIANGLE]}, ada)
    assert given.json()["codes_beside_shapes"] == listed


HELD: dict[str, tuple[str, list[str], list[dict[str, Any]]]] = {
    "a county that is none": (POLYGON + geocodes(("SAME", "009002")), ["SAME 009002"],
                              beside(("SAME 009002", False))),
    "a zone not imported": (POLYGON + geocodes(SAME, ("UGC", "CTZ099"), NEW_YORK),
                            ["UGC CTZ099"],
                            beside(("SAME 009009", True), ("UGC CTZ099", False),
                                   ("SAME 036061", False), beyond=("SAME 036061",))),
    "a county of no number": (CIRCLE + geocodes(("UGC", "CTC002")), ["UGC CTC002"],
                              beside(("UGC CTC002", False))),
    "a part of a county": (POLYGON + geocodes(("FIPS6", "109001")), ["FIPS6 109001"],
                           beside(("FIPS6 109001", False))),
    "a region that is none": (POLYGON + geocodes(("FIPS", "09199")), ["FIPS 09199"],
                              beside(("FIPS 09199", False))),
    "no town": (POLYGON + geocodes(("TOWN", "Gondor")), ["TOWN Gondor"],
                beside(("TOWN Gondor", False))),
    "the Sound": (POLYGON + geocodes(("SAME", "073335"), ("UGC", "ANZ335")),
                  ["SAME 073335", "UGC ANZ335"],
                  beside(("SAME 073335", False), ("UGC ANZ335", False))),
    "a scheme nobody knows": (POLYGON + geocodes(SAME, ("NUTS2", "BE21")), ["NUTS2 BE21"],
                              beside(("SAME 009009", True), ("NUTS2 BE21", False))),
    "and one asked for": (areas(POLYGON + geocodes(SAME, ("UGC", "CTZ099")), geocodes(NEW_YORK)),
                          ["SAME 036061", "UGC CTZ099"],
                          beside(("SAME 009009", True), ("UGC CTZ099", False))),
    "only one asked for": (areas(POLYGON + geocodes(SAME), geocodes(NEW_YORK)), ["SAME 036061"],
                           beside(("SAME 009009", True))),
    "only one of a strange scheme": (areas(POLYGON + geocodes(SAME), geocodes(("NUTS2", "BE21"))),
                                     ["NUTS2 BE21"], beside(("SAME 009009", True))),
}  # fmt: skip


@pytest.mark.shows("C10", "C17", "M13", "S05")
@pytest.mark.parametrize("name", HELD)
async def test_a_code_that_may_be_a_place_here_holds_the_message(desk: Desk, name: str) -> None:
    area, unknown, listed = HELD[name]
    await desk.run("DELETE FROM dispatcher_page")
    receipt = await received(desk, area)
    assert (receipt["state"], receipt["digest"], receipt["count"]) == ("draft", None, None)
    assert receipt["hold"] == {"reason": "unknown-geocode", "codes": unknown}
    assert receipt["codes_beside_shapes"] == listed
    assert await paged(desk)
    await do_once(timers(desk.context))
    assert (await look(desk, receipt["alert_id"]))["state"] == "draft"
    refused = await desk.client.post(
        f"/v1/alerts/{receipt['alert_id']}/submit", headers=desk.sign_in("ada")
    )
    assert codes(refused) == {"area-held"}
    assert not await announced(desk, receipt["alert_id"])


@pytest.mark.shows("C10", "C17", "S01")
async def test_whoever_approves_the_area_a_person_gave_still_sees_the_codes(desk: Desk) -> None:
    listed = beside(("SAME 009009", True), ("UGC CTZ099", False))
    receipt = await received(desk, POLYGON + geocodes(SAME, ("UGC", "CTZ099")))
    alert_id, ada = receipt["alert_id"], desk.sign_in("ada")
    given = await give(desk, alert_id, {"include": [TRIANGLE]}, ada)
    assert (given.json()["hold"], given.json()["codes_beside_shapes"]) == (None, listed)
    sent = (await desk.client.post(f"/v1/alerts/{alert_id}/submit", headers=ada)).json()
    assert sent["codes_beside_shapes"] == listed
    approved = await desk.approve(sent, desk.sign_in("ben"))
    assert (approved.json()["state"], approved.json()["codes_beside_shapes"]) == (
        "approved",
        listed,
    )


@pytest.mark.shows("C10", "C17", "S05")
async def test_codes_beside_shapes_are_asked_about_once_the_geofence_is_back(desk: Desk) -> None:
    desk.geofence.down = True
    known = await received(desk, POLYGON + geocodes(SAME, NEW_YORK))
    unknown = await received(desk, POLYGON + geocodes(SAME, ("UGC", "CTZ099")))
    beyond = ("SAME 036061",)
    assert known["codes_beside_shapes"] == beside(
        ("SAME 009009", None), ("SAME 036061", None), beyond=beyond
    )
    desk.geofence.down = False
    await do_once(timers(desk.context))
    shown = await look(desk, known["alert_id"])
    assert (shown["state"], shown["hold"]) == ("pending_approval", None)
    assert shown["codes_beside_shapes"] == beside(
        ("SAME 009009", True), ("SAME 036061", False), beyond=beyond
    )
    shown = await look(desk, unknown["alert_id"])
    assert shown["hold"] == {"reason": "unknown-geocode", "codes": ["UGC CTZ099"]}
    assert shown["codes_beside_shapes"] == beside(("SAME 009009", True), ("UGC CTZ099", False))


@pytest.mark.shows("C17", "C10")
async def test_a_code_of_another_state_that_is_known_here_is_said_to_be(desk: Desk) -> None:
    desk.geofence.codes = {**CODES, NEW_YORK: CODES[SAME]}
    receipt = await received(desk, POLYGON + geocodes(NEW_YORK))
    assert receipt["codes_beside_shapes"] == beside(("SAME 036061", True), beyond=("SAME 036061",))


@pytest.mark.shows("C17", "bad:C22", "S05")
@pytest.mark.parametrize(("pair", "status", "code"), [
    (("SAME", "9009"), 422, "unknown-geocode"), (("SAME", "003001"), 422, "unknown-geocode"),
    (("UGC", "CT"), 422, "unknown-geocode"), (("UGC", "ctz002"), 422, "unknown-geocode"),
    (("FIPS", "9"), 422, "unknown-geocode"), (("SAME", "000000"), 403, "whole-country"),
])  # fmt: skip
async def test_what_can_be_no_code_is_refused_beside_a_shape_too(
    desk: Desk, pair: tuple[str, str], status: int, code: str
) -> None:
    body = message(desk.keys["sender"], info(area=POLYGON + geocodes(SAME, pair)))
    refused = await post(desk, body)
    assert (refused.status_code, codes(refused)) == (status, {f"cap-{code}", code})
    [fault] = refused.json()["errors"]
    assert fault["pointer"] == "/alert/info[1]/area[1]"


if DATA:

    @pytest.mark.shows("C10", "C17")
    async def test_the_codes_of_a_real_warning_of_elsewhere_are_listed_beside_its_polygon(
        desk: Desk,
    ) -> None:
        """As the NWS writes a warning: one polygon, and the zones it touches as UGC and SAME."""
        sample = Path(DATA or "") / "cap" / "samples" / "nws_update_two_polygons.xml"
        pairs = re.findall(
            r"<geocode>\s*<valueName>(SAME|UGC)</valueName>\s*<value>(\w+)</value>",
            sample.read_text(),
        )
        assert {name for name, _ in pairs} == {"SAME", "UGC"}
        receipt = await received(desk, POLYGON + geocodes(*pairs))
        assert (receipt["state"], receipt["hold"]) == ("pending_approval", None)
        called = tuple(f"{name} {value}" for name, value in pairs)
        assert receipt["codes_beside_shapes"] == beside(
            *((one, False) for one in called), beyond=called
        )
