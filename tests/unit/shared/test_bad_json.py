"""The bad-input catalogue's rows that hold for every JSON endpoint."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter
from sqlalchemy.exc import InterfaceError

from shared.watch import metrics
from shared.web import edge
from shared.web.app import StrictModel, make_app
from shared.web.auth import public


class Colour(StrEnum):
    RED = "red"


class Point(StrictModel):
    lon: float


class Thing(StrictModel):
    count: int
    text: str = ""
    weight: float = 0.0
    at: datetime | None = None
    id: UUID | None = None
    colour: Colour | None = None
    points: tuple[Point, ...] = ()


router = APIRouter()


@router.post("/v1/things", dependencies=[public])
async def keep(thing: Thing) -> dict[str, Any]:
    return {"count": thing.count}


@router.get("/v1/things/{thing_id}", dependencies=[public])
async def show(thing_id: UUID, limit: int = 5) -> dict[str, Any]:
    return {"id": str(thing_id), "limit": limit}


@router.delete("/v1/things/{thing_id}", dependencies=[public])
async def drop(thing_id: UUID) -> None:
    raise InterfaceError("SELECT", {}, OSError("connection is closed"))


@router.get("/v1/crash", dependencies=[public])
async def crash() -> None:
    raise RuntimeError("secret detail +12035550100")


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = make_app(title="t", service="test", routers=[router], authenticators=[])
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


JSON = {"content-type": "application/json"}

BODIES = [
    ("J01", b"", 400, "empty-body", None),
    ("J02", b'{"count": 1', 400, "malformed-json", None),
    ("J03", b"[" * 100_000, 400, "too-deep", None),
    ("J03", b'{"count":' + b"[" * 100 + b"1" + b"]" * 100 + b"}", 400, "too-deep", None),
    ("J05", '{"count": 1}'.encode("utf-16"), 400, "bad-encoding", None),
    ("J05", b'{"text": "\xff"}', 400, "bad-encoding", None),
    ("J06", b'{"count": 1, "count": 2}', 400, "duplicate-key", None),
    ("J06", b'{"count": 1, "points": [{"lon": 1, "lon": 2}]}', 400, "duplicate-key", None),
    ("J07", b'{"count": 1, "weight": NaN}', 422, "not-finite", "/weight"),
    ("J07", b'{"count": 1, "weight": -Infinity}', 422, "not-finite", "/weight"),
    ("J07", b'{"count": 1, "weight": 1e400}', 422, "not-finite", "/weight"),
    ("J07", b'{"count": 1, "weight": "nan"}', 422, "not-finite", "/weight"),
    ("J08", b'{"count": ' + b"9" * 5000 + b"}", 422, "integer-too-large", "/count"),
    ("J08", b'{"count": 9223372036854775808}', 422, "integer-too-large", "/count"),
    ("J09", b'{"count": 1, "text": "a\\u0000b"}', 422, "control-char", "/text"),
    ("J09", b'{"count": 1, "te\\u0000xt": "b"}', 422, "control-char", ""),
    ("J10", b'{"count": 1, "text": "\\ud800"}', 422, "lone-surrogate", "/text"),
    ("J11", b'{"count": 1, "verified": true}', 422, "unknown-field", "/verified"),
    ("J12", b'{"count": true}', 422, "int-type", "/count"),
    ("J12", b'{"count": "1"}', 422, "int-type", "/count"),
    ("J12", b'{"count": 1, "points": [{"lon": true}]}', 422, "float-type", "/points/0/lon"),
    ("J12", b'{"count": 1, "at": 1}', 422, "datetime-type", "/at"),
    ("J12", b'{"count": 1, "at": "2026-01-01T00:00:00"}', 422, "timezone-aware", "/at"),
    ("J13", b"[1]", 422, "model-attributes-type", ""),
    ("J13", b"7", 422, "model-attributes-type", ""),
    ("J13", b"null", 422, "model-attributes-type", ""),
]


def check_problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "instance", "trace_id"} <= problem.keys()
    assert problem["status"] == status
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    return problem


@pytest.mark.shows(
    *(f"bad:J{n:02}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13)), "S12", "S44"
)
@pytest.mark.parametrize(("row", "body", "status", "code", "pointer"), BODIES)
async def test_a_bad_body_is_refused_by_name(
    client: httpx2.AsyncClient, row: str, body: bytes, status: int, code: str, pointer: str | None
) -> None:
    problem = check_problem(await client.post("/v1/things", content=body, headers=JSON), status)
    if pointer is None:
        assert problem["type"] == f"urn:ct-alert:problem:{code}"
    else:
        assert problem["errors"][0] == {"pointer": pointer, "code": code}


async def test_a_good_body_with_every_kind_is_taken(client: httpx2.AsyncClient) -> None:
    body = (
        b'{"count":1,"text":"\xc3\xa1 \\ud83d\\ude00\\n","weight":2,'
        b'"at":"2026-01-01T00:00:00-05:00","id":"0190a000-0000-7000-8000-000000000000","colour":"red","points":[{"lon":1}]}'
    )
    response = await client.post("/v1/things", content=body, headers=JSON)
    assert response.status_code == 200, response.text
    assert response.headers["strict-transport-security"]


@pytest.mark.shows("bad:J04", "bad:J15")
@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {},
        {**JSON, "content-encoding": "gzip"},
        {**JSON, "content-encoding": "deflate"},
    ],
)
async def test_another_kind_of_body_is_415(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.post("/v1/things", content=b'{"count":1}', headers=headers)
    check_problem(response, 415)
    assert "accept" in response.headers or "accept-encoding" in response.headers


@pytest.mark.shows("bad:J14", "S42")
async def test_a_body_beyond_the_limit_is_413_before_it_is_parsed(
    client: httpx2.AsyncClient,
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    check_problem(await client.post("/v1/things", content=b"x" * 2_000_000, headers=JSON), 413)
    check_problem(await client.post("/v1/things", content=chunks(), headers=JSON), 413)


@pytest.mark.shows("bad:J17", "bad:J18", "S42")
async def test_long_addresses_and_headers_are_refused(client: httpx2.AsyncClient) -> None:
    check_problem(await client.get("/v1/crash?" + "x" * 9000), 414)
    check_problem(await client.get("/v1/crash", headers={"x": "y" * 32_000}), 431)


@pytest.mark.shows("bad:J19")
@pytest.mark.parametrize("method", ["PUT", "TRACE", "POST"])
async def test_a_wrong_method_is_405_and_names_the_right_ones(
    client: httpx2.AsyncClient, method: str
) -> None:
    path = "/v1/things/0190a000-0000-7000-8000-000000000000"
    response = await client.request(method, path)
    check_problem(response, 405)
    assert response.headers["allow"] == "DELETE, GET"


@pytest.mark.shows("bad:J20")
async def test_an_unknown_answer_type_is_406(client: httpx2.AsyncClient) -> None:
    path = "/v1/things/0190a000-0000-7000-8000-000000000000"
    check_problem(await client.get(path, headers={"accept": "image/png"}), 406)
    check_problem(await client.get(path, headers={"accept": "application/json;q=0"}), 406)
    for accept in ("*/*", "application/*", "text/html, application/json;q=0.5"):
        assert (await client.get(path, headers={"accept": accept})).status_code == 200


@pytest.mark.shows("bad:J22", "bad:J23")
async def test_ids_and_pages_that_cannot_be_are_refused(client: httpx2.AsyncClient) -> None:
    for path in ("/v1/things/7", "/v1/things/%00", "/v1/things/..%2f..%2fetc", "/v1/nothing"):
        problem = check_problem(await client.get(path), 404)
        assert "errors" not in problem
    path = "/v1/things/0190a000-0000-7000-8000-000000000000"
    problem = check_problem(await client.get(path, params={"limit": "many"}), 422)
    assert problem["errors"] == [{"pointer": "query:limit", "code": "int-parsing"}]


@pytest.mark.shows("bad:J28")
async def test_a_database_that_is_away_is_503(client: httpx2.AsyncClient) -> None:
    response = await client.delete("/v1/things/0190a000-0000-7000-8000-000000000000")
    check_problem(response, 503)
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.shows("S44", "S37")
async def test_the_unexpected_is_a_plain_500(
    client: httpx2.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    response = await client.get("/v1/crash")
    problem = check_problem(response, 500)
    assert "secret" not in str(problem)
    assert problem["trace_id"] == response.headers["x-trace-id"]


@pytest.mark.shows("S44")
async def test_input_is_never_echoed(client: httpx2.AsyncClient) -> None:
    marker = "zzmarkerzz"
    bodies = [
        {"count": marker},
        {"count": 1, "colour": marker},
        {"count": 1, "id": marker},
        {"count": 1, "at": marker},
    ]
    for body in bodies:
        response = await client.post("/v1/things", json=body)
        check_problem(response, 422)
        assert marker not in response.text


@pytest.mark.shows("S46")
async def test_docs_are_not_public(client: httpx2.AsyncClient) -> None:
    for path in ("/docs", "/openapi.json", "/metrics", "/livez"):
        check_problem(await client.get(path), 404)


@pytest.mark.shows("bad:J21", "S42")
async def test_a_body_that_does_not_come_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "_BODY_TIMEOUT_S", 0.01)
    app = make_app(title="t", service="test", routers=[router], authenticators=[])

    async def begun() -> AsyncIterator[bytes]:
        yield b'{"count":'
        await asyncio.Event().wait()

    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        check_problem(await client.post("/v1/things", content=begun(), headers=JSON), 408)


async def test_requests_are_counted_by_route_and_not_by_address(
    client: httpx2.AsyncClient,
) -> None:
    await client.get("/v1/things/0190a000-0000-7000-8000-000000000000")
    await client.get("/v1/nothing-of-ours")
    text = metrics.render()[0].decode()
    assert 'method="GET",route="/v1/things/{thing_id}",service="test",status="200"' in text
    assert "nothing-of-ours" not in text
    assert "0190a000" not in text


def test_the_api_page_shows_how_refusals_look() -> None:
    app = make_app(title="t", service="test", routers=[router], authenticators=[], docs=True)
    page = app.openapi()
    answers = page["paths"]["/v1/things"]["post"]["responses"]
    assert answers.keys() == {"200", "default"}
    assert "application/problem+json" in answers["default"]["content"]
    thing = page["components"]["schemas"]["Thing"]["properties"]
    assert thing["at"]["anyOf"][0] == {"type": "string", "format": "date-time"}
    assert thing["id"]["anyOf"][0] == {"type": "string", "format": "uuid"}
