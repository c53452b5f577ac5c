"""Every refusal of the three applications is problem+json, says why, and echoes nothing."""

import gzip
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest

from tests.contract.apis.desk import SERVICES, Api, Apis, Operation

MARK = "q7zEchoedInput"
JSON = {"Content-Type": "application/json"}
# A member that no model knows, so that what a body means is refused as well.
BODIES: dict[str, tuple[bytes, int, str]] = {
    "J01": (b"", 400, "empty-body"),
    "J02": (f'{{"a": "{MARK}", '.encode(), 400, "malformed-json"),
    "J03": (b"[" * 100_000, 400, "too-deep"),
    "J05": (f'{{"a": "{MARK}"}}'.encode("utf-16"), 400, "bad-encoding"),
    "J06": (f'{{"a": "{MARK}", "a": "{MARK}"}}'.encode(), 400, "duplicate-key"),
    "J07": (f'{{"a": NaN, "b": "{MARK}"}}'.encode(), 422, "not-finite"),
    "J07b": (f'{{"a": 1e400, "b": "{MARK}"}}'.encode(), 422, "not-finite"),
    "J08": (b'{"a": ' + b"9" * 5000 + b"}", 422, "integer-too-large"),
    "J09": (f'{{"a": "{MARK}\\u0000"}}'.encode(), 422, "control-char"),
    "J10": (f'{{"a": "{MARK}\\ud800"}}'.encode(), 422, "lone-surrogate"),
    "J13": (f'["{MARK}"]'.encode(), 422, "invalid"),
    "J13b": (f'"{MARK}"'.encode(), 422, "invalid"),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


def check(answer: httpx2.Response, status: int, slug: str | None = None) -> dict[str, Any]:
    """Hold an answer to what every refusal is: a whole problem of one status, without the input."""
    where = f"{answer.request.method} {answer.request.url.path} {answer.text[:300]}"
    assert answer.status_code == status, where
    assert answer.headers["content-type"] == "application/problem+json", where
    assert answer.headers["cache-control"] == "no-store", where
    assert answer.headers["x-content-type-options"] == "nosniff", where
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "trace_id"} <= problem.keys(), where
    assert problem["status"] == status, where
    assert problem["type"].startswith("urn:ct-alert:problem:"), where
    assert problem["title"], where
    assert problem["detail"], where
    # A pointer may name a member: it says where, and nothing else does it as well.
    said = {**problem, "errors": [{**one, "pointer": ""} for one in problem.get("errors", ())]}
    assert MARK not in str(said), where
    if slug:
        assert problem["type"] == f"urn:ct-alert:problem:{slug}", where
    if status == 415:
        assert "accept" in answer.headers or "accept-encoding" in answer.headers, where
    return problem


class Caller:
    """Somebody who may call an operation, and everything about the call but its fault."""

    def __init__(self, api: Api, operation: Operation) -> None:
        self.api, self.operation = api, operation
        own = str(uuid4())
        self.url = api.url(operation, own=own)
        # A resident is at their own profile, though it is not there.
        resident = "resident" in (operation.roles or ())
        self.headers = api.allowed(operation, subject=own if resident else "ada")
        self.headers |= {"Idempotency-Key": str(uuid4()), "If-Match": '"1"'}

    async def call(self, **changes: Any) -> httpx2.Response:
        """Make the call with a change; a header of None is left out."""
        given = {**self.headers, **changes.pop("headers", {})}
        return await self.api.client.request(
            changes.pop("method", self.operation.method),
            changes.pop("url", self.url),
            headers={name: value for name, value in given.items() if value is not None},
            **changes,
        )


def callers(api: Api, *, reading: str = "") -> Iterator[Caller]:
    """Yield a caller of each operation; with `reading` of those whose body is of that type."""
    for operation in api.operations():
        body = api.body_of(operation)
        if not reading or (body and body[0] == reading):
            yield Caller(api, operation)


@pytest.mark.shows(*(f"bad:J{n:02}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10, 13)), "S44")
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("case", BODIES)
async def test_a_bad_json_body(apis: Apis, service: str, case: str) -> None:
    body, status, slug = BODIES[case]
    found = list(callers(apis[service], reading="application/json"))
    assert found
    for caller in found:
        check(await caller.call(content=body, headers=JSON), status, slug)


@pytest.mark.shows("bad:J04", "bad:J05", "bad:J14", "bad:J15", "S42")
@pytest.mark.parametrize("service", SERVICES)
async def test_a_body_of_another_form_than_json(apis: Apis, service: str) -> None:
    whole = orjson.dumps({"a": MARK})
    for caller in callers(apis[service], reading="application/json"):
        for media in ("text/plain", "application/xml", "multipart/form-data; boundary=x", None):
            answer = await caller.call(content=whole, headers={"Content-Type": media})
            check(answer, 415, "unsupported-media-type")
        latin = {"Content-Type": "application/json; charset=latin-1"}
        check(await caller.call(content=whole, headers=latin), 400, "bad-encoding")
        for encoding in ("gzip", "deflate", "br", MARK):
            headers = {**JSON, "Content-Encoding": encoding}
            answer = await caller.call(content=gzip.compress(whole), headers=headers)
            check(answer, 415, "content-encoding")
        huge = b'{"a": "' + b"x" * 2_000_000 + b'"}'
        check(await caller.call(content=huge, headers=JSON), 413, "too-large")


@pytest.mark.shows("bad:J11", "bad:J12", "S12", "S44")
@pytest.mark.parametrize("service", SERVICES)
async def test_an_example_with_something_wrong_in_it(apis: Apis, service: str) -> None:
    """Take each documented example and break it member by member."""
    api = apis[service]
    for caller in callers(api, reading="application/json"):
        _, example = api.body_of(caller.operation) or ("", {})
        unknown = check(await caller.call(json={**example, "verified": MARK}), 422, "invalid")
        assert {"pointer": "/verified", "code": "unknown-field"} in unknown["errors"]
        for member in example:
            for wrong in ({"x": MARK}, [MARK], MARK, True, 1e300, None):
                answer = await caller.call(json={**example, member: wrong})
                if answer.status_code >= 400:
                    check(answer, answer.status_code)
                    assert answer.status_code < 500, (caller.operation, member, wrong)


@pytest.mark.shows("bad:J17", "bad:J18", "bad:J20", "S42")
@pytest.mark.parametrize("service", SERVICES)
async def test_headers_addresses_and_answers_out_of_bounds(apis: Apis, service: str) -> None:
    for caller in callers(apis[service]):
        check(await caller.call(headers={"X-Much": MARK * 2400}), 431, "headers-too-large")
        url = f"{caller.url}?q={MARK * 700}"
        check(await caller.call(url=url), 414, "uri-too-long")
        # A bare route answers without a body, so there is nothing to accept.
        if caller.operation.guarded_by is None:
            accept = {"Accept": "image/png", "Content-Type": None}
            check(await caller.call(headers=accept), 406, "not-acceptable")


@pytest.mark.shows("bad:J19")
@pytest.mark.parametrize("service", SERVICES)
async def test_a_wrong_method(apis: Apis, service: str) -> None:
    api = apis[service]
    known: dict[str, set[str]] = {}
    for operation in api.operations():
        known.setdefault(operation.path, set()).add(operation.method)
    for caller in callers(api):
        for method in METHODS:
            if method in known[caller.operation.path]:
                continue
            problem = await caller.call(method=method)
            check(problem, 405, "method-not-allowed")
            allowed = {one.strip() for one in problem.headers["allow"].split(",")}
            assert known[caller.operation.path] <= allowed, caller.operation


@pytest.mark.shows("bad:J22")
@pytest.mark.parametrize("service", SERVICES)
async def test_an_address_that_means_nothing(apis: Apis, service: str) -> None:
    api = apis[service]
    for operation in api.operations():
        for wrong in ("7", "%00", "..%2f..%2fetc", "a" * 500, "%F0%9F%92%A9", "null"):
            before, found, rest = operation.path.partition("{")
            # Whether a mail link's token is good is another question, and has its own answer.
            if not found or "{token}" in operation.path or operation.guarded_by:
                continue
            url = before + wrong + rest.partition("}")[2].replace("{", "").replace("}", "")
            caller = Caller(api, operation)
            body = api.body_of(operation)
            example = {"json": body[1]} if body and body[0] == "application/json" else {}
            answer = await caller.call(url=url, **example)
            if operation.path.startswith("/v1/layers/{kind}") and body:
                assert answer.status_code in (404, 415), answer.text
            elif "twilio" in operation.path:
                assert answer.status_code in (404, 415), answer.text
            else:
                assert answer.status_code == 404, (operation, wrong, answer.text)
            check(answer, answer.status_code)
    for path in ("/", "/v1", "/v1/nothing", "/v1//alerts", "/.env", "/v1/alerts/"):
        check(await api.client.get(path), 404, "not-found")


@pytest.mark.shows("bad:J23")
async def test_pages_and_positions_out_of_bounds(apis: Apis) -> None:
    alerts, layers = apis["dispatcher"], apis["geofence"]
    viewer = alerts.headers("viewer")
    lists = ("/v1/alerts", f"/v1/alerts/{uuid4()}/deliveries")
    queries = (
        "limit=0", "limit=-1", "limit=1000000000", f"limit={MARK}", "limit=1e3", f"after={MARK}",
    )  # fmt: skip
    for path in lists:
        for query in queries:
            check(await alerts.client.get(f"{path}?{query}", headers=viewer), 422, "invalid")
    state = await alerts.client.get(f"/v1/alerts?state={MARK}", headers=viewer)
    check(state, 422, "invalid")
    for query in ("lon=nan&lat=1", "lon=-181&lat=1", "lat=1", f"lon={MARK}&lat=1", "lon=inf&lat=1"):
        answer = await layers.client.get(f"/v1/layers/town/locate?{query}", headers=viewer)
        check(answer, 422, "invalid")
    for query in ("code=", f"name={'x' * 201}"):
        answer = await layers.client.get(f"/v1/layers/town/features?{query}", headers=viewer)
        check(answer, 422, "invalid")


@pytest.mark.shows("bad:J26")
async def test_idempotency_keys(apis: Apis) -> None:
    caller = next(
        one for one in callers(apis["dispatcher"]) if one.operation.name == "POST /v1/alerts"
    )
    _, example = apis["dispatcher"].body_of(caller.operation) or ("", {})
    for key, status, slug in (
        (None, 428, "idempotency-key-required"),
        ("  ", 428, "idempotency-key-required"),
        (MARK * 30, 400, "idempotency-key-invalid"),
    ):
        answer = await caller.call(json=example, headers={"Idempotency-Key": key})
        check(answer, status, slug)
    optional = next(
        one for one in callers(apis["subscriber"]) if one.operation.name == "POST /v1/subscribers"
    )
    _, resident = apis["subscriber"].body_of(optional.operation) or ("", {})
    answer = await optional.call(json=resident, headers={"Idempotency-Key": MARK * 30})
    check(answer, 400, "idempotency-key-invalid")
