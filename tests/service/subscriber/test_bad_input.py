"""Sign-ups that must not be taken: each refused by name, as problem+json, nothing stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.service.subscriber.desk import HARTFORD, Desk, sms

POINT = "/contact_points/0/address"
PLACE = "/places/0"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
MAIL = {"channel": "email", "address": "a@example.com"}


def phone(raw: Any) -> dict[str, Any]:
    """Return the change that gives one phone."""
    return {"contact_points": [{"channel": "sms", "address": raw}]}


def mail(raw: str) -> dict[str, Any]:
    """Return the change that gives one e-mail address."""
    return {"contact_points": [{"channel": "email", "address": raw}]}


def place(**changes: Any) -> dict[str, Any]:
    """Return the change that gives one place."""
    return {"places": [HARTFORD | changes]}


def consent(**changes: Any) -> dict[str, Any]:
    """Return the change of the consent."""
    return {"consent": {"given": True, "wording": "2026-01"} | changes}


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("bad:U01", {"contact_points": [{"channel": "sms"}]}, POINT, "required"),
    ("bad:U01", {"contact_points": []}, "/contact_points", "too-short"),
    ("bad:U02", phone("+1860555012"), POINT, "invalid-number"),
    ("bad:U03", phone("1-800-FLOWERS"), POINT, "toll-free"),
    ("bad:U04", phone("911"), POINT, "short-code"),
    ("bad:U05", phone("+19005550123"), POINT, "premium"),
    ("bad:U06", phone("+18765550123"), POINT, "region-not-allowed"),
    ("bad:U08", phone("8605550123 ext 9"), POINT, "extension"),
    ("bad:U09", phone("8605550123\r\n"), POINT, "control-char"),
    ("bad:U10", phone("tel:8605550123;phone-context=evil"), POINT, "not-a-number"),
    ("bad:U11", phone("8605550123,8605550124"), POINT, "one-number"),
    ("bad:U12", mail("a@b"), POINT, "not-an-address"),
    ("bad:U12", mail("a@x.com,b@x.com"), POINT, "one-address"),
    ("bad:U12", mail("a@x.com\nBcc: b@x.com"), POINT, "control-char"),
    ("bad:U14", place(lat=91.0), PLACE, "out-of-range"),
    ("bad:U14", place(lon=-181.0), PLACE, "out-of-range"),
    ("bad:U14", place(lon=0.0, lat=0.0), PLACE, "outside-service-area"),
    ("bad:U14", place(lon=41.7658, lat=-72.6734), PLACE, "swapped-lon-lat"),
    ("bad:U15", place(lon=-71.06, lat=42.36), PLACE, "outside-service-area"),
    ("bad:U16", {"places": [HARTFORD] * 51}, "/places", "too-long"),
    (
        "bad:U16",
        {"contact_points": [sms(f"+1860555{n:04d}") for n in range(11)]},
        "/contact_points",
        "too-long",
    ),
    ("bad:U17", place(label="x" * 10_000), PLACE + "/label", "string-too-long"),
    ("bad:U17", place(label="home\u202egnp"), PLACE + "/label", "control-char"),
    ("bad:U17", place(label="Z" + "\u0351" * 30), PLACE + "/label", "stacked-marks"),
    ("bad:U18", {"language": "xx"}, "/language", "unknown-language"),
    ("bad:U19", consent(given=False), "/consent/given", "literal-error"),
    ("bad:U19", {"consent": None}, "/consent", "model-attributes-type"),
    ("bad:U20", consent(at=TOMORROW), "/consent/at", "in-the-future"),
    ("bad:U29", {"categories": ["Weather"]}, "/categories/0", "literal-error"),
    ("bad:U29", {"severity_floor": "minor"}, "/severity_floor", "literal-error"),
    ("bad:J07", place(lat="nan"), PLACE + "/lat", "not-finite"),
    ("bad:J09", place(label="a\x00b"), PLACE + "/label", "control-char"),
    ("bad:J11", {"role": "admin"}, "/role", "unknown-field"),
    ("bad:J12", place(lat="41.7"), PLACE + "/lat", "float-type"),
    ("bad:J12", place(lat=True), PLACE + "/lat", "float-type"),
    ("S12", {"contact_points": [MAIL | {"state": "verified"}]}, "/contact_points/0/state",
     "unknown-field"),
    ("S12", {"contact_points": [MAIL | {"basis": "statutory"}]}, "/contact_points/0/basis",
     "unknown-field"),
    ("S12", {"subscriber_id": "0198f4e2-7c1d-7b3a-9c55-0c8f2f1f7a10"}, "/subscriber_id",
     "unknown-field"),
    ("R1", {"contact_points": [MAIL, {"channel": "email", "address": "A@EXAMPLE.com"}]},
     "/contact_points", "duplicate"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        pytest.param(*case[1:], id=f"{case[0]}-{n}", marks=pytest.mark.shows(case[0]))
        for n, case in enumerate(CASES)
    ],
)
async def test_a_bad_sign_up_is_refused_by_name(
    desk: Desk, changes: dict[str, Any], pointer: str, code: str
) -> None:
    """The answer says where and what, repeats nothing, and nothing is stored."""
    count = "SELECT count(*) FROM subscriber_resident"
    before = await desk.value(count)
    answer = await desk.sign_up(**changes)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"pointer": pointer, "code": code} in [
        {"pointer": one["pointer"], "code": one["code"]} for one in problem["errors"]
    ]
    assert problem["type"].startswith("urn:ct-alert:problem:")
    for raw in ("8605550123", "FLOWERS", "evil", "gnp"):
        assert raw not in answer.text
    assert await desk.value(count) == before


@pytest.mark.shows("bad:U07")
async def test_digits_of_other_scripts_make_no_second_number(desk: Desk) -> None:
    """A number in Arabic digits is the number it is."""
    latin, arabic = "2", "٢"
    number = "860555019" + latin
    one, other = await desk.member(sms(number)), await desk.member(sms("٨٦٠٥٥٥٠١٩" + arabic))
    assert await desk.reachable(one.subscriber_id) == {"+1" + number}
    assert await desk.reachable(other.subscriber_id) == {"+1" + number}
    twice = await desk.sign_up(sms(number), sms("٨٦٠٥٥٥٠١٩" + arabic))
    assert twice.status_code == 422


@pytest.mark.shows("bad:J01", "bad:J02", "bad:J04", "bad:J06", "bad:J13", "bad:J19")
@pytest.mark.parametrize(
    ("method", "content", "kind", "status"),
    [
        ("POST", b"", "application/json", 400),
        ("POST", b'{"language"', "application/json", 400),
        ("POST", b'{"language":"en","language":"es"}', "application/json", 400),
        ("POST", b"{}", "text/plain", 415),
        ("POST", b"[]", "application/json", 422),
        ("PUT", b"{}", "application/json", 405),
    ],
)
async def test_malformed_requests_are_problems(
    desk: Desk, method: str, content: bytes, kind: str, status: int
) -> None:
    """What cannot be read is refused as problem+json too."""
    answer = await desk.client.request(
        method, "/v1/subscribers", content=content, headers={"Content-Type": kind}
    )
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_api_describes_itself_with_examples(desk: Desk) -> None:
    """Every request body in the OpenAPI description has an example that is taken."""
    app: Any = desk.client._transport.app  # type: ignore[attr-defined]
    schemas = app.openapi()["components"]["schemas"]
    for name in ("SignUpBody", "ConfirmBody", "ContactBody", "PlaceBody", "ChangeBody"):
        assert schemas[name]["examples"], name
    example = schemas["SignUpBody"]["examples"][0]
    answer = await desk.client.post("/v1/subscribers", json=example)
    assert answer.status_code == 202, answer.text
