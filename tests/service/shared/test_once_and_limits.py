"""Idempotency keys and rate limits on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, Request

from shared.db.session import Database, execute, fetch, fetch_value, open_database
from shared.web.app import StrictModel, make_app
from shared.web.auth import public
from shared.web.errors import Problem
from shared.web.idempotency import Digest, Idempotency, Key, idempotency_ddl
from shared.web.limits import Limits, PostgresStorage, rate_ddl
from tests.servers import ServiceDatabase

Fresh = Callable[..., ServiceDatabase]
ONCE = Idempotency("dispatcher")


@pytest.fixture
async def database(fresh_database: Fresh) -> AsyncIterator[Database]:
    empty = fresh_database("dispatcher", migrated=False)
    opened = open_database(empty.owner_url, application_name="test")
    async with opened.transaction() as tx:
        statements = [*idempotency_ddl("dispatcher"), *rate_ddl("dispatcher")]
        for statement in [*statements, "CREATE TABLE made (n int)"]:
            await execute(tx, statement)
    yield opened
    await opened.close()


class Order(StrictModel):
    n: int


router = APIRouter()


@router.post("/v1/orders", status_code=201, dependencies=[public])
async def order(request: Request, body: Order, key: Key, digest: Digest) -> Any:
    database: Database = request.app.state.database
    async with database.transaction() as tx:
        before = await ONCE.remember(tx, principal="staff:ann", key=key, digest=digest)
        if before is not None:
            return before.response()
        await execute(tx, "INSERT INTO made VALUES (:n)", n=body.n)
        answer = {"n": body.n}
        await ONCE.settle(tx, principal="staff:ann", key=key, status=201, body=answer)
        if body.n < 0:
            raise RuntimeError("after the work")
    return answer


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    app = make_app(title="t", service="dispatcher", routers=[router], authenticators=[])
    app.state.database = database
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def post(client: httpx2.AsyncClient, n: int, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/v1/orders", json={"n": n}, headers=named)


async def made(database: Database) -> list[int]:
    async with database.transaction() as tx:
        return [row["n"] for row in await fetch(tx, "SELECT n FROM made ORDER BY n")]


@pytest.mark.shows("bad:J26")
async def test_a_key_is_needed_and_used_once(
    client: httpx2.AsyncClient, database: Database
) -> None:
    assert (await post(client, 1)).status_code == 428
    assert (await post(client, 1, idempotency_key="k" * 256)).status_code == 400
    assert (await post(client, 1, idempotency_key="a\tb")).status_code == 400
    first = await post(client, 1, idempotency_key="k1")
    again = await post(client, 1, idempotency_key="k1")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await post(client, 2, idempotency_key="k1")
    assert other.status_code == 422
    assert other.json()["type"].endswith(":idempotency-key-reused")
    assert await made(database) == [1]


@pytest.mark.shows("bad:J26")
async def test_a_request_that_fails_leaves_its_key_free(
    client: httpx2.AsyncClient, database: Database
) -> None:
    assert (await post(client, -1, idempotency_key="k1")).status_code == 500
    assert (await post(client, 3, idempotency_key="k1")).status_code == 201
    assert await made(database) == [3]


@pytest.mark.shows("bad:J26")
async def test_a_second_request_at_the_same_time_is_409(database: Database) -> None:
    async with database.transaction() as tx:
        assert await ONCE.remember(tx, principal="staff:ann", key="k1", digest=b"d") is None
        async with database.transaction() as other:
            with pytest.raises(Problem) as refused:
                await ONCE.remember(other, principal="staff:ann", key="k1", digest=b"d")
            assert (refused.value.status, refused.value.slug) == (409, "in-progress")
            for who, key in (("staff:bob", "k1"), ("staff:ann", "k2")):
                assert await ONCE.remember(other, principal=who, key=key, digest=b"d") is None


async def test_old_keys_are_forgotten(database: Database) -> None:
    async with database.transaction() as tx:
        for key in ("old", "new"):
            await ONCE.remember(tx, principal="staff:ann", key=key, digest=b"d")
        await execute(
            tx,
            "UPDATE dispatcher_idempotency SET created_at = now() - interval '8 days'"
            " WHERE key = 'old'",
        )
        assert await ONCE.prune(tx) == 1


@pytest.mark.shows("S43", "bad:J27")
async def test_only_so_many_in_a_window_over_all_replicas(database: Database) -> None:
    replicas = [Limits(database, "dispatcher"), Limits(database, "dispatcher")]
    hits = [replicas[n % 2].hit(database, "+18605550123", limit=5, per_s=3600) for n in range(12)]
    refused = [
        error for error in await asyncio.gather(*hits, return_exceptions=True) if error is not None
    ]
    assert len(refused) == 7
    for error in refused:
        assert isinstance(error, Problem)
        assert error.status == 429
        assert 3590 < int(error.headers["Retry-After"]) <= 3600
    await replicas[0].hit(database, "+18605550124", limit=5, per_s=3600)
    async with database.transaction() as tx:
        keys = await fetch(tx, "SELECT key FROM dispatcher_rate")
        persistence = await fetch_value(
            tx,
            "SELECT CAST(relpersistence AS text) FROM pg_class WHERE relname = 'dispatcher_rate'",
        )
    assert persistence == "u"
    assert all(b"555" not in bytes(row["key"]) for row in keys)


@pytest.mark.shows("S43")
async def test_a_window_ends_and_counting_begins_again(database: Database) -> None:
    limits = Limits(database, "dispatcher")
    async with database.transaction() as tx:
        await limits.hit(tx, "a", limit=1, per_s=60)
        with pytest.raises(Problem):
            await limits.hit(tx, "a", limit=1, per_s=60)
        await execute(tx, "UPDATE dispatcher_rate SET ends_at = now() - interval '1 second'")
        await limits.hit(tx, "a", limit=1, per_s=60)
        await execute(tx, "UPDATE dispatcher_rate SET ends_at = now() - interval '1 second'")
        storage = PostgresStorage(tx, "dispatcher")
        assert await storage.get("a") == 0
        assert await storage.prune() == 1
        assert await storage.check()
        assert await storage.reset() == 0


@pytest.mark.shows("S43")
async def test_a_full_window_is_seen_without_being_counted(database: Database) -> None:
    limits = Limits(database, "dispatcher")
    for _ in range(2):
        for _ in range(3):
            await limits.check("a", limit=2, per_s=60)
        await limits.hit(None, "a", limit=2, per_s=60)
    with pytest.raises(Problem) as refused:
        await limits.check("a", limit=2, per_s=60)
    assert refused.value.status == 429
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    await limits.check("b", limit=2, per_s=60)


async def test_a_refused_request_still_counts(database: Database) -> None:
    limits = Limits(database, "dispatcher")

    async def fail() -> None:
        async with database.transaction():
            await limits.hit(database, "b", limit=1, per_s=60)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    with pytest.raises(Problem):
        await limits.hit(None, "b", limit=1, per_s=60)
