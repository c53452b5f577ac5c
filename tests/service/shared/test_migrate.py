"""Migrations: repeatable, safe beside one another, and granted to the application's role only."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy.exc import DBAPIError

from shared.db.migrate import current, upgrade
from shared.db.session import Database, execute, fetch, fetch_value, open_database
from tests.servers import ServiceDatabase

Fresh = Callable[..., ServiceDatabase]


async def run(url: str, *statements: str) -> None:
    database = open_database(url, application_name="test")
    try:
        async with database.transaction() as tx:
            for statement in statements:
                await execute(tx, statement)
    finally:
        await database.close()


async def tables(database: Database) -> set[str]:
    async with database.transaction() as tx:
        rows = await fetch(tx, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in rows}


@pytest.mark.parametrize("service", ["subscriber", "geofence", "dispatcher"])
async def test_two_migrations_at_once_are_one_after_the_other(
    fresh_database: Fresh, service: str
) -> None:
    empty = fresh_database(service, migrated=False)
    assert current(service, empty.owner_url) is None
    both = (asyncio.to_thread(upgrade, service, empty.owner_url) for _ in range(2))
    await asyncio.gather(*both)
    newest = current(service, empty.owner_url)
    assert newest
    upgrade(service, empty.owner_url)
    assert current(service, empty.owner_url) == newest
    database = open_database(empty.app_url, application_name="test")
    made = await tables(database)
    await database.close()
    assert f"{service}_alembic_version" in made
    assert {name for name in made if not name.startswith(f"{service}_")} == set()


async def test_the_application_reads_and_writes_but_changes_no_table(
    fresh_database: Fresh,
) -> None:
    migrated = fresh_database("dispatcher")
    await run(migrated.owner_url, "CREATE TABLE dispatcher_later (id bigserial, n int)")
    await run(
        migrated.app_url,
        "INSERT INTO dispatcher_later (n) VALUES (1)",
        "UPDATE dispatcher_later SET n = 2",
        "DELETE FROM dispatcher_later",
    )
    for forbidden in (
        "CREATE TABLE dispatcher_other (id int)",
        "DROP TABLE dispatcher_later",
        "TRUNCATE dispatcher_later",
        "ALTER TABLE dispatcher_later DISABLE ROW LEVEL SECURITY",
        "UPDATE dispatcher_alembic_version SET version_num = 'x'",
        "SET ROLE dispatcher_owner",
    ):
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            await run(migrated.app_url, forbidden)


@pytest.mark.shows("S10")
async def test_the_applications_role_is_under_row_level_security(fresh_database: Fresh) -> None:
    migrated = fresh_database("dispatcher")
    database = open_database(migrated.app_url, application_name="test")
    async with database.transaction() as tx:
        free = await fetch_value(
            tx,
            "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user",
        )
    await database.close()
    assert free is False


def test_a_service_nobody_knows_is_named() -> None:
    with pytest.raises(RuntimeError, match="nobody"):
        upgrade("nobody", "postgresql+asyncpg://a:b@127.0.0.1:9/x")
