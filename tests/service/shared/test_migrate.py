"""Migrations: repeatable, safe beside one another, and granted to the application's role only."""

import asyncio
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from shared.db.migrate import current, schema_check, upgrade
from shared.db.session import Database, execute, fetch, fetch_value, open_database
from shared.watch.health import Health
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


async def move(service: str, url: str, revision: str, *, by: Callable[[Config, str], None]) -> None:
    """Take a service's migrations up or back to a revision, as their owner."""
    found = find_spec(f"services.{service}")
    assert found is not None
    assert found.submodule_search_locations is not None
    folder = Path(found.submodule_search_locations[0]) / "migrations"

    def work(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        by(config, revision)

    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(work)
    await engine.dispose()


async def guards(database: Database) -> dict[str, tuple[str, ...]]:
    """Return the policies of each forced table, as the catalogue says them."""
    async with database.transaction() as tx:
        rows = await fetch(
            tx,
            """SELECT c.relname, p.polname, p.polcmd,
                      pg_get_expr(p.polqual, c.oid) AS seen,
                      pg_get_expr(p.polwithcheck, c.oid) AS written
                 FROM pg_class AS c JOIN pg_policy AS p ON p.polrelid = c.oid
                WHERE c.relrowsecurity AND c.relforcerowsecurity ORDER BY 1, 2""",
        )
    return {row["relname"]: tuple(str(value) for value in row.values())[1:] for row in rows}


@pytest.mark.shows("S10")
async def test_the_dispatchers_guards_go_and_come_back(fresh_database: Fresh) -> None:
    migrated = fresh_database("dispatcher")
    database = open_database(migrated.app_url, application_name="test")
    newest, kept, seen = current("dispatcher", migrated.owner_url), await tables(database), []
    seen.append(await guards(database))
    for revision in ("0004", "0003"):
        await move("dispatcher", migrated.owner_url, revision, by=command.downgrade)
        assert current("dispatcher", migrated.owner_url) == revision
        seen.append(await guards(database))
    await asyncio.to_thread(upgrade, "dispatcher", migrated.owner_url)
    assert current("dispatcher", migrated.owner_url) == newest
    assert await guards(database) == seen[0]
    assert await tables(database) == kept
    await database.close()
    first = {"dispatcher_alert", "dispatcher_broadcast"}
    assert set(seen[2]) == first
    assert set(seen[1]) == first | {"dispatcher_partner"}
    assert len(seen[0]) == 12


LAYERS = """
INSERT INTO geofence_layer (layer_id, kind, version, digest, code_field, name_field, features,
                            imported_at, activated_at, valid_from)
SELECT gen_random_uuid(), 'psap', version, sha256('any'), 'code', 'name', 1,
       CAST(imported_at AS timestamptz), CAST(activated_at AS timestamptz), valid_from
  FROM (VALUES (1, '2026-01-05 15:00+00', '2026-06-05 15:00+00', date '2026-01-05'),
               (2, '2026-03-05 15:00+00', '2026-03-05 15:00+00', '2026-03-05'),
               (3, '2026-03-06 15:00+00', '2020-01-01 05:00+00', '2020-01-01'))
       AS put (version, imported_at, activated_at, valid_from)
"""
ACTIVATIONS = """
SELECT version, activation.activated_at
  FROM geofence_layer_activation AS activation JOIN geofence_layer USING (layer_id) ORDER BY 1, 2
"""
# An alert that is refused, and one that has ended.
REFUSED = """
INSERT INTO geofence_live_alert (alert_id, version, area_wkb, area_digest, expires_at,
                                 registered_at, ended_at, end_reason)
SELECT gen_random_uuid(), version, '', sha256(''), now(), now(), ended_at, reason
  FROM (VALUES (1, CAST(NULL AS timestamptz), 'area-broken'), (2, now(), 'cancelled'))
       AS known (version, ended_at, reason)
"""
REFUSALS = "SELECT status, refused_for, end_reason FROM geofence_live_alert ORDER BY version"


@pytest.mark.shows("G6", "G12")
async def test_activations_and_refusals_of_before_are_taken_over_and_back(
    fresh_database: Fresh,
) -> None:
    empty = fresh_database("geofence", migrated=False)
    await move("geofence", empty.owner_url, "0005", by=command.upgrade)
    await run(empty.owner_url, LAYERS, REFUSED)
    database = open_database(empty.owner_url, application_name="test")
    for _ in range(2):
        await move("geofence", empty.owner_url, "0006", by=command.upgrade)
        async with database.transaction() as tx:
            rows = await fetch(tx, ACTIVATIONS)
            assert [(one["version"], f"{one['activated_at']:%Y-%m}") for one in rows] == [
                (1, "2026-01"), (1, "2026-06"), (2, "2026-03"), (3, "2020-01"),
            ]  # fmt: skip
            assert [tuple(one.values()) for one in await fetch(tx, REFUSALS)] == [
                ("Actual", "area-broken", None), ("Actual", None, "cancelled"),
            ]  # fmt: skip
        await move("geofence", empty.owner_url, "0005", by=command.downgrade)
        assert "geofence_layer_activation" not in await tables(database)
        async with database.transaction() as tx:
            kept = "SELECT end_reason FROM geofence_live_alert ORDER BY version"
            reasons = [one["end_reason"] for one in await fetch(tx, kept)]
            assert reasons == ["area-broken", "cancelled"]
    await database.close()


@pytest.mark.shows("G8")
async def test_what_was_left_goes_and_comes_back(fresh_database: Fresh) -> None:
    migrated = fresh_database("geofence")
    database = open_database(migrated.app_url, application_name="test")
    newest, kept = current("geofence", migrated.owner_url), await tables(database)
    await move("geofence", migrated.owner_url, "0006", by=command.downgrade)
    assert kept - await tables(database) >= {"geofence_left_spot"}
    await move("geofence", migrated.owner_url, "0007", by=command.upgrade)
    assert "geofence_left_spot" in await tables(database)
    await asyncio.to_thread(upgrade, "geofence", migrated.owner_url)
    assert (current("geofence", migrated.owner_url), await tables(database)) == (newest, kept)
    await database.close()


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


@pytest.mark.parametrize("service", ["geofence", "dispatcher"])
async def test_a_schema_older_than_the_code_is_not_ready(
    fresh_database: Fresh, service: str
) -> None:
    empty = fresh_database(service, migrated=False)
    database = open_database(empty.app_url, application_name="test")
    health = Health()
    health.add("schema", schema_check(service, database))
    assert await health.ready() == ["schema"]
    await asyncio.to_thread(upgrade, service, empty.owner_url)
    assert await health.ready() == []
    stamp = f"UPDATE {service}_alembic_version SET version_num = "  # noqa: S608
    await run(empty.owner_url, f"{stamp} 'of a newer release'")
    assert await health.ready() == []
    await run(empty.owner_url, f"{stamp} '0001'")
    assert await health.ready() == ["schema"]
    await database.close()
