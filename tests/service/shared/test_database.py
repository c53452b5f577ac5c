"""Transactions, towns, migrations and transient errors on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy.exc import DBAPIError

from shared.db.session import (
    ALL_TOWNS,
    Database,
    execute,
    fetch,
    fetch_one,
    fetch_value,
    is_transient,
    open_database,
)
from tests.servers import ServiceDatabase

Fresh = Callable[..., ServiceDatabase]


@pytest.fixture
async def owner(fresh_database: Fresh) -> AsyncIterator[Database]:
    empty = fresh_database("dispatcher", migrated=False)
    database = open_database(empty.owner_url, application_name="test")
    yield database
    await database.close()


async def test_a_transaction_commits_at_its_end_or_not_at_all(owner: Database) -> None:
    async with owner.transaction() as tx:
        await execute(tx, "CREATE TABLE thing (id int PRIMARY KEY, at timestamptz DEFAULT now())")
        assert await execute(tx, "INSERT INTO thing SELECT generate_series(1, 3)") == 3

    async def stumble() -> None:
        async with owner.transaction() as tx:
            await execute(tx, "DELETE FROM thing")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await stumble()
    async with owner.transaction() as tx:
        rows = await fetch(tx, "SELECT id, at FROM thing WHERE id = ANY(:ids)", ids=[1, 2, 9])
        assert [row["id"] for row in rows] == [1, 2]
        assert str(rows[0]["at"].tzinfo) == "UTC" or rows[0]["at"].utcoffset().seconds == 0
        assert await fetch_one(tx, "SELECT id FROM thing WHERE id = 9") is None
        assert await fetch_value(tx, "SELECT count(*) FROM thing") == 3
        assert await fetch_value(tx, "SELECT current_setting('transaction_timeout')") == "1min"


@pytest.mark.shows("S10")
async def test_a_transaction_sees_the_rows_of_its_town_only(
    fresh_database: Fresh, owner: Database
) -> None:
    guard = "current_setting('ctalert.town', true) IN ('*', town)"
    async with owner.transaction() as tx:
        for statement in (
            "CREATE TABLE guarded (town text NOT NULL)",
            "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE guarded FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY t ON guarded USING ({guard})",
        ):
            await execute(tx, statement)
    async with owner.transaction(town=ALL_TOWNS) as tx:
        await execute(tx, "INSERT INTO guarded VALUES ('0937000'), ('0952000')")
    seen = {}
    for town in ("0937000", "0900000", ALL_TOWNS, None):
        async with owner.transaction(town=town) as tx:
            seen[town] = await fetch_value(tx, "SELECT count(*) FROM guarded")
    assert seen == {"0937000": 1, "0900000": 0, ALL_TOWNS: 2, None: 0}
    with pytest.raises(DBAPIError, match="row-level security"):
        async with owner.transaction(town="0937000") as tx:
            await execute(tx, "INSERT INTO guarded VALUES ('0952000')")


async def test_a_deadlock_and_a_killed_connection_are_transient(owner: Database) -> None:
    async with owner.transaction() as tx:
        await execute(tx, "CREATE TABLE pair (id int PRIMARY KEY)")
        await execute(tx, "INSERT INTO pair VALUES (1), (2)")
    first_holds, both_hold = asyncio.Event(), asyncio.Event()
    lock = "SELECT id FROM pair WHERE id = :id FOR UPDATE"

    async def take(one: int, other: int, mine: asyncio.Event, theirs: asyncio.Event) -> None:
        async with owner.transaction() as tx:
            await fetch(tx, lock, id=one)
            mine.set()
            await theirs.wait()
            await fetch(tx, lock, id=other)

    results = await asyncio.gather(
        take(1, 2, first_holds, both_hold),
        take(2, 1, both_hold, first_holds),
        return_exceptions=True,
    )
    errors = [error for error in results if error is not None]
    assert len(errors) == 1
    assert is_transient(errors[0])

    async def lose_the_connection() -> None:
        async with owner.transaction() as tx:
            mine = await fetch_value(tx, "SELECT pg_backend_pid()")
            async with owner.transaction() as other:
                await fetch(other, "SELECT pg_terminate_backend(:pid)", pid=mine)
            await fetch(tx, "SELECT 1")

    with pytest.raises(DBAPIError) as killed:
        await lose_the_connection()
    assert is_transient(killed.value)
    async with owner.transaction() as tx:
        assert await fetch_value(tx, "SELECT 1") == 1


@pytest.mark.shows("S37")
async def test_an_error_does_not_tell_its_parameters(owner: Database) -> None:
    with pytest.raises(DBAPIError) as wrong:
        async with owner.transaction() as tx:
            await fetch(tx, "SELECT nonsense WHERE :phone = 'x'", phone="+18605550123")
    assert "8605550123" not in str(wrong.value)


async def test_a_mistake_is_not_transient(owner: Database) -> None:
    for sql in ("SELECT nonsense", "SELECT 1 / 0", "SELECT CAST('x' AS int)"):
        with pytest.raises(DBAPIError) as wrong:
            async with owner.transaction() as tx:
                await fetch(tx, sql)
        assert not is_transient(wrong.value)


async def test_a_server_that_is_away_is_transient() -> None:
    away = open_database("postgresql+asyncpg://a:b@127.0.0.1:9/x", application_name="test")
    with pytest.raises(OSError, match="9") as refused:
        async with away.transaction():
            pass
    assert is_transient(refused.value)
    await away.close()
