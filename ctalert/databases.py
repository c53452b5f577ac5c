"""A service's database and its two roles, on any PostgreSQL a superuser's URL is known for."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

T = TypeVar("T")
_ROLE = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS"


def role_names(service: str) -> tuple[str, str]:
    """Return the owner's role, which migrates, and the application's, which row security binds."""
    return f"{service}_owner", f"{service}_app"


def url_for(admin_url: str, *, role: str, password: str, database: str) -> str:
    """Return the URL an engine of ours opens: the same server, another role and database."""
    parts = urlsplit(admin_url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        ("postgresql+asyncpg", f"{role}:{password}@{place}", f"/{database}", parts.query, "")
    )


def other_database(url: str, database: str) -> str:
    """Return the same URL for another database, without the name of a driver."""
    parts = urlsplit(url)
    return urlunsplit(("postgresql", parts.netloc, f"/{database}", parts.query, ""))


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a thread of its own: the caller may be inside a loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


def make_databases(
    admin_url: str, databases: Mapping[str, str], *, passwords: Mapping[str, str]
) -> None:
    """Make the roles with these passwords, and each service's database where it is lacking.

    `databases` maps service to database name, `passwords` role to password.
    """
    run_apart(_make(admin_url, databases, passwords))


async def _make(admin_url: str, databases: Mapping[str, str], passwords: Mapping[str, str]) -> None:
    admin = await asyncpg.connect(other_database(admin_url, "postgres"))
    try:
        # Roles belong to the whole server: two commands at once are one after the other.
        await admin.execute("SELECT pg_advisory_lock(hashtextextended('ctalert.databases', 0))")
        for service, database in databases.items():
            for role in role_names(service):
                await _make_role(admin, role, passwords[role])
            known = await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database)
            if known is None:
                await clone(admin, database, service=service, template="template0")
    finally:
        await admin.close()


async def _make_role(admin: asyncpg.Connection, role: str, password: str) -> None:
    known = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if known else "CREATE"
    # A password cannot be a parameter; the server does the quoting.
    statement = await admin.fetchval(
        "SELECT format($1 || ' ROLE %I WITH ' || $2 || ' PASSWORD %L', $3::text, $4::text)",
        verb, _ROLE, role, password,
    )  # fmt: skip
    await admin.execute(statement)


async def clone(admin: asyncpg.Connection, database: str, *, service: str, template: str) -> None:
    """Make a database of the service from a template; only its own two roles may connect."""
    owner, app = role_names(service)
    await admin.execute(f'CREATE DATABASE "{database}" OWNER {owner} TEMPLATE "{template}"')
    await admin.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
    await admin.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {app}')


async def drop(admin: asyncpg.Connection, databases: Iterable[str]) -> None:
    """Drop databases whoever is still connected to them."""
    for database in databases:
        await admin.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
