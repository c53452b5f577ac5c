"""Runs a service's Alembic migrations without an ini file, then grants what its role may do."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TypeVar

from alembic import command, context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from shared.db.session import Database, fetch_value

T = TypeVar("T")

_LONGEST_WAIT = "5s"


def upgrade(service: str, owner_url: str) -> None:
    """Bring the service's database to the newest schema and grant it to `<service>_app`.

    Everything is one transaction under an advisory lock: two callers at once are one after the
    other, and a failed migration leaves nothing behind. One that would wait long for a table
    fails, and is tried again, since everything that comes after it waits behind it.

    Raises:
        RuntimeError: there is no such service, or its application role does not exist.
    """
    folder = _folder(service)

    def work(connection: Connection) -> None:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
            {"name": f"ctalert.migrate.{service}"},
        )
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LONGEST_WAIT}'"))
        config = Config()
        config.set_main_option("script_location", folder)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _grant(service, connection)

    _with_connection(owner_url, work)


def current(service: str, owner_url: str) -> str | None:
    """Return the revision the database is at, or None before the first migration."""

    def work(connection: Connection) -> str | None:
        settled = MigrationContext.configure(
            connection, opts={"version_table": _version_table(service)}
        )
        return settled.get_current_revision()

    return _with_connection(owner_url, work)


def schema_check(service: str, database: Database) -> Callable[[], Awaitable[bool]]:
    """Return a check of readiness: is the database migrated at least as far as this code?

    A revision that this code does not know is a newer release's, which is rolled out beside it.

    Raises:
        RuntimeError: there is no such service.
    """
    _, *older = (one.revision for one in ScriptDirectory(_folder(service)).walk_revisions())
    statement = f"SELECT version_num FROM {_version_table(service)}"  # noqa: S608

    async def check() -> bool:
        async with database.transaction() as tx:
            found = await fetch_value(tx, statement)
        return found is not None and found not in older

    return check


def run(service: str) -> None:
    """Run the migrations inside Alembic's environment: all that a service's `env.py` does."""
    context.configure(
        connection=context.config.attributes["connection"],
        version_table=_version_table(service),
    )
    context.run_migrations()


def execute_script(sql: str) -> None:
    """Run several statements, parted by semicolons, inside a migration.

    `op.execute` prepares what it is given and a prepared statement can hold only one.
    """
    bind = op.get_bind()
    bind.execute(text("SELECT 1"))  # the driver opens the transaction with its first statement
    driver = bind.connection.driver_connection
    assert driver is not None  # noqa: S101  an open connection has a driver
    await_only(driver.execute(sql))


def _version_table(service: str) -> str:
    return f"{service}_alembic_version"


def _folder(service: str) -> str:
    spec = find_spec(f"services.{service}")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"there is no service named {service}")
    return f"{spec.submodule_search_locations[0]}/migrations"


def _grant(service: str, connection: Connection) -> None:
    role = f"{service}_app"
    known = connection.execute(
        text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}
    ).first()
    if known is None:
        raise RuntimeError(f"the role {role} does not exist: create it before migrating")
    tables = "SELECT, INSERT, UPDATE, DELETE"
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT {tables} ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {tables} ON TABLES TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
        f"REVOKE INSERT, UPDATE, DELETE ON {_version_table(service)} FROM {role}",
    ):
        connection.execute(text(statement))


def _with_connection(url: str, work: Callable[[Connection], T]) -> T:
    async def main() -> T:
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    # A thread of its own, because the caller may already be inside a running loop.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(main())).result()
