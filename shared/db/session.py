"""The open transaction that verbs receive, and the few ways to run SQL in it.

JSON goes in and comes out as text: `CAST(:value AS jsonb)` takes what `orjson.dumps` made.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import CursorResult, RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db.engine import make_engine
from shared.db.transient import is_transient

__all__ = [
    "ALL_TOWNS",
    "Database",
    "Tx",
    "execute",
    "fetch",
    "fetch_one",
    "fetch_value",
    "is_transient",
    "open_database",
]

Tx: TypeAlias = AsyncConnection

ALL_TOWNS = "*"


class Database:
    """One service's database; hands out transactions and commits them at the edge."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def transaction(self, *, town: str | None = None) -> AsyncIterator[Tx]:
        """Open a transaction; commit when the block ends, roll back when it raises.

        `town` is what row-level security compares: a town's geoid, or ALL_TOWNS. Without one no
        row of a town-guarded table is visible.
        """
        async with self.engine.begin() as tx:
            if town is not None:
                await execute(tx, "SELECT set_config('ctalert.town', :town, true)", town=town)
            yield tx

    async def answer(self) -> None:
        """Run the smallest statement; raises where the database does not answer."""
        async with self.transaction() as tx:
            await fetch_value(tx, "SELECT 1")

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def open_database(url: str, *, application_name: str, pool_size: int = 5) -> Database:
    """Open a service's database; connections are made when first needed."""
    return Database(make_engine(url, application_name=application_name, pool_size=pool_size))


async def fetch(tx: Tx, sql: str, /, **params: Any) -> Sequence[RowMapping]:
    """Run a statement and return all its rows."""
    return (await _run(tx, sql, params)).mappings().all()


async def fetch_one(tx: Tx, sql: str, /, **params: Any) -> RowMapping | None:
    """Run a statement and return its first row, or None."""
    return (await _run(tx, sql, params)).mappings().first()


async def fetch_value(tx: Tx, sql: str, /, **params: Any) -> Any:
    """Run a statement and return the first column of its first row, or None."""
    return (await _run(tx, sql, params)).scalar()


async def execute(tx: Tx, sql: str, /, **params: Any) -> int:
    """Run a statement and return how many rows it touched."""
    return (await _run(tx, sql, params)).rowcount


async def _run(tx: Tx, sql: str, params: dict[str, Any]) -> CursorResult[Any]:
    return await tx.execute(_statement(sql), params)


@lru_cache(maxsize=2048)
def _statement(sql: str) -> TextClause:
    return text(sql)
