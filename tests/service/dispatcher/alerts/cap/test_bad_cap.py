"""CAP messages that are refused by name, and of which nothing is kept."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import cap_time
from tests.service.dispatcher.alerts.cap.cap_messages import info, message, post
from tests.service.dispatcher.alerts.desk import Desk, codes


@pytest.mark.shows("C4", "C5", "bad:C12", "bad:C13")
@pytest.mark.parametrize(("changes", "code"), [
    ({"status": "Exercise"}, "status-exercise-not-taken"),
    ({"status": "Test"}, "status-test-not-taken"),
    ({"status": "System"}, "status-system-not-taken"),
    ({"status": "Draft"}, "status-draft-not-taken"),
    ({"msgType": "Update"}, "msgtype-update-not-taken"),
    ({"msgType": "Cancel"}, "msgtype-cancel-not-taken"),
    ({"msgType": "Ack"}, "msgtype-ack-not-taken"),
    ({"msgType": "Error"}, "msgtype-error-not-taken"),
])  # fmt: skip
async def test_every_other_kind_is_refused_by_its_name(
    desk: Desk, changes: dict[str, str], code: str
) -> None:
    sender = desk.keys["sender"]
    references = f"<references>{sender},WX-1,{cap_time(datetime.now(UTC))}</references>"
    body = message(sender, **changes)
    if "msgType" in changes:
        missing = await post(desk, body)
        assert (missing.status_code, "missing-references" in codes(missing)) == (422, True)
        body = body.replace("<info>", f"{references}<info>", 1)
    answer = await post(desk, body)
    assert answer.status_code == 422
    assert code in codes(answer)


NOW = datetime.now(UTC)
BAD: list[tuple[str, str, int, str]] = [
    ("C07", "<alert xmlns='urn:oasis:names:tc:emergency:cap:1.1'/>", 422, "namespace"),
    ("C07", "<alert/>", 422, "namespace"),
    ("C09", message("{s}", identifier="a b"), 422, "name"),
    ("C09", message("{s}", identifier="a,b"), 422, "name"),
    ("C09", message("{s}", identifier="a&amp;b"), 422, "name"),
    ("C09", message("{s}", identifier="a&lt;b"), 422, "name"),
    ("C09", message("{s}", identifier="x" * 201), 422, "name-too-long"),
    ("C09", message("{s}", identifier="a<!-- x -->b"), 422, "comment-inside"),
    ("C09", message("{s}", identifier="\u200b"), 422, "name"),
    ("C09", message("{s}", info(event="\u200b\u2060")), 422, "missing-event"),
    ("C11", message("{s}", sent="2026-01-31T16:05:00Z"), 422, "time"),
    ("C11", message("{s}", sent="2026-01-31T16:05:00"), 422, "time"),
    ("C11", message("{s}", sent=cap_time(NOW + timedelta(hours=3))), 422, "sent-in-future"),
    ("C14", message("{s}", scope="Restricted"), 422, "missing-restriction"),
    ("C14", message("{s}", scope="Private"), 422, "missing-addresses"),
    ("C15", message("{s}", *[info(f"en-{n:03d}") for n in range(9)]), 422, "too-many-infos"),
    ("C15", message("{s}", info(), info(area="<circle>41.3,-72.9 1</circle>")), 422,
     "language-twice"),
    ("C16", message("{s}", info(expires="")), 422, "expires-required"),
    ("C16", message("{s}", info(expires=cap_time(NOW - timedelta(hours=1)))), 422,
     "expires-before-effective"),
    ("C17", message("{s}", info(area="")), 422, "area-required"),
    ("C17", message("{s}", info(area=" ")), 422, "area-required"),
    ("C18", message("{s}", info(area="<polygon>41,-72 nan,-72 41,-73 41,-72</polygon>")), 422,
     "polygon"),
    ("C18", message("{s}", info(area="<polygon>41,-72 42,-72 41</polygon>")), 422, "polygon"),
    ("C18", message("{s}", info(area="<polygon>41 -72,42 -72</polygon>")), 422, "polygon"),
    ("C18", message("{s}", info(area="<polygon>41,-72 42,-72 41,-72</polygon>")), 422,
     "polygon-short"),
    ("C18", message("{s}", info(area="<polygon>41,-72 42,-72 42,-73 41,-73</polygon>")), 422,
     "polygon-open"),
    ("C19", message("{s}", info(area="<circle>-72.9,41.3 1</circle>")), 422, "lat-lon-swapped"),
    ("C20", message("{s}", info(area="".join(
        f"<polygon>41.{n:03d},-72 41.5,-72 41.5,-72.5 41.{n:03d},-72</polygon>"
        for n in range(101)))), 413, "too-complex"),
    ("C21", message("{s}", info(area="<circle>41.3,-72.9 0</circle>")), 422, "circle-radius"),
    ("C21", message("{s}", info(area="<circle>41.3,-72.9 -1</circle>")), 422, "circle-radius"),
    ("C22", message("{s}", info(area="<geocode><valueName>SAME</valueName>"
                                     "<value>000000</value></geocode>")), 403, "whole-country"),
    ("C22", message("{s}", info(area="<geocode><valueName>SAME</valueName>"
                                     "<value>999999</value></geocode>")), 422, "unknown-geocode"),
    ("C24", message("{s}", info(web="javascript:alert(1)")), 422, "unsafe-address"),
    ("C25", message("{s}", info(area="", instruction="x" + "</instruction>" + "".join(
        f"<parameter><valueName>a</valueName><value>{n}</value></parameter>" for n in range(101))
        + "<!--").replace("<!--</instruction>", "")), 422, "too-many-parameters"),
    ("C28", message("{s}", info(description="&lt;b&gt;run&lt;/b&gt;")), 422, "markup"),
    ("C29", message("{s}", info(certainty="Likely ")), 422, "not-listed"),
    ("C30", message("{s}", info("tlh")), 422, "language-not-spoken"),
    ("C08", message("{s}", scope=""), 422, "missing-element"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "body", "status", "code"), [
    pytest.param(*one, id=f"{one[0]}-{one[3]}-{number}",
                 marks=pytest.mark.shows("C1", f"bad:{one[0]}"))
    for number, one in enumerate(BAD)
])  # fmt: skip
async def test_bad_messages_are_refused(
    desk: Desk, row: str, body: str, status: int, code: str
) -> None:
    before = await desk.rows("SELECT count(*) AS n FROM dispatcher_cap_message")
    answer = await post(desk, body.replace("{s}", desk.keys["sender"]))
    assert answer.status_code == status, answer.text
    assert code in codes(answer), answer.text
    assert await desk.rows("SELECT count(*) AS n FROM dispatcher_cap_message") == before


@pytest.mark.shows("bad:C01", "bad:C05")
async def test_what_is_no_cap_body(desk: Desk) -> None:
    assert (await post(desk, "x", **{"Content-Type": "application/json"})).status_code == 415
    assert (await post(desk, "x", **{"Content-Type": "text/xml; charset=x"})).status_code == 415
    huge = await post(desk, b" " * 300_000)
    assert huge.status_code == 413
    codes(huge)


@pytest.mark.shows("S30", "bad:C23")
@pytest.mark.parametrize("uri", [
    "file:///etc/passwd", "http://169.254.169.254/x", "http://[::1]/", "http://0x7f.1/",
    "gopher://example.org/", "http://localhost/", "ftp://example.org/a",
])  # fmt: skip
async def test_addresses_are_text_and_the_unsafe_are_refused(desk: Desk, uri: str) -> None:
    resource = ("<resource><resourceDesc>map</resourceDesc><mimeType>image/png</mimeType>"
                f"<uri>{uri}</uri></resource>")  # fmt: skip
    body = message(desk.keys["sender"]).replace("<area>", f"{resource}<area>")
    answer = await post(desk, body)
    assert answer.status_code == 422
    assert "unsafe-address" in codes(answer)
    safe = body.replace(uri, "https://maps.example.org/a.png")
    assert (await post(desk, safe)).status_code == 202
