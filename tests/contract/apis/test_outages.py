"""With the database away every operation says 503, and what nobody foresaw is a bare 500."""

import io
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import asyncpg
import httpx2
import pytest

from simulators.signature import sign_request
from tests.conftest import KeyRings
from tests.contract.apis.desk import PUBLIC_URL, SERVICES, Apis, enrol, open_apis
from tests.contract.apis.outages import Line, line_to, through
from tests.contract.apis.test_problems import MARK, Caller, callers, check
from tests.logged import logged
from tests.servers import ServiceDatabase
from tests.simulated import ACCOUNT, TOKEN

# These ask no database: a page that is the same for all, a link that proves nothing, the bus.
NEEDS_NONE = {
    "GET /v1/inbound/email/unsubscribe/{token}": 200,
    "POST /v1/inbound/email/unsubscribe/{token}": 410,
    "POST /v1/receipts/twilio/{channel}/{delivery_id}": 204,
}
MESSAGE = b"""<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>"""
FIELDS = {
    "AccountSid": ACCOUNT, "From": "+18605550123", "To": "+18605550124", "Digits": "9",
    "Body": MARK, "MessageSid": "SM1", "CallSid": "CA1", "MessageStatus": "sent",
}  # fmt: skip


@pytest.fixture
async def line(database: Callable[[str], ServiceDatabase]) -> AsyncIterator[Line]:
    """The line that all three services reach PostgreSQL by."""
    async with line_to(database("subscriber").app_url) as opened:
        yield opened


@pytest.fixture
async def apis(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings, kafka: str, line: Line
) -> AsyncIterator[Apis]:
    """The applications over that line."""

    def url(service: str) -> str:
        return through(database(service).app_url, line)

    async with open_apis(url, keyrings, kafka) as opened:
        await enrol(opened["dispatcher"])
        yield opened


async def ask(caller: Caller) -> httpx2.Response:
    """Call an operation with a body it would take."""
    body = caller.api.body_of(caller.operation)
    if "/twilio/" in caller.url:
        signature = sign_request(TOKEN, PUBLIC_URL + caller.url, FIELDS)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature,
        }  # fmt: skip
        return await caller.call(content=urlencode(FIELDS).encode(), headers=headers)
    if body is None:
        query = "?lon=-72.7&lat=41.6" if caller.url.endswith("/locate") else ""
        return await caller.call(url=caller.url + query)
    media, example = body
    if media == "application/cap+xml":
        return await caller.call(content=MESSAGE, headers={"Content-Type": media})
    if caller.operation.name == "POST /v1/alerts":
        example = {**example, "expires_at": _soon()}
    return await caller.call(json=example, headers={"Content-Type": media})


@pytest.mark.shows("bad:J28", "S45", "S44")
async def test_without_the_database(apis: Apis, line: Line) -> None:
    """Everything that stores or reads is 503 with Retry-After, and works again afterwards."""
    await line.cut()
    asked = 0
    for service in SERVICES:
        for caller in callers(apis[service]):
            answer = await ask(caller)
            expected = NEEDS_NONE.get(caller.operation.name)
            if expected is not None:
                assert answer.status_code == expected, caller.operation
                continue
            problem = check(answer, 503)
            assert int(answer.headers["retry-after"]) >= 1
            assert "postgres" not in str(problem).lower()
            asked += 1
    assert asked >= 25
    await line.mend()
    for service, path, role in (
        ("geofence", "/v1/layers", "viewer"), ("dispatcher", "/v1/alerts", "viewer"),
    ):  # fmt: skip
        api = apis[service]
        answer = await api.client.get(path, headers=api.headers(role))
        assert answer.status_code == 200, answer.text
    sign_up = next(iter(callers(apis["subscriber"])))
    assert (await ask(sign_up)).status_code == 202


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What this process logs, as it would in production."""
    with logged() as stream:
        yield stream


@pytest.mark.shows("S44", "S37")
async def test_what_nobody_foresaw(
    fresh_database: Callable[[str], ServiceDatabase],
    keyrings: KeyRings,
    kafka: str,
    log: io.StringIO,
) -> None:
    """With its tables gone under it each operation answers a bare 500: no SQL, no input."""
    made = {service: fresh_database(service) for service in SERVICES}
    async with open_apis(lambda service: made[service].app_url, keyrings, kafka) as apis:
        await enrol(apis["dispatcher"])
        for database in made.values():
            await _drop_tables(database)
        asked = 0
        for service in SERVICES:
            for caller in callers(apis[service]):
                if caller.operation.name in NEEDS_NONE:
                    continue
                problem = check(await ask(caller), 500, "internal")
                said: dict[str, Any] = {**problem, "instance": ""}
                for word in ("select", "relation", "geofence_", "dispatcher_", "sqlalchemy"):
                    assert word not in str(said).lower(), caller.operation
                asked += 1
        assert asked >= 25
    written = log.getvalue()
    assert written.count('"request.failed"') >= asked
    for word in (*FIELDS.values(), "resident@example.com", "8605550123", TOKEN):
        assert len(word) < 8 or word not in written, word


async def _drop_tables(database: ServiceDatabase) -> None:
    connection = await asyncpg.connect(database.admin_url.replace("+asyncpg", ""))
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()
