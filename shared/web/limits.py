"""Rate limits counted over all replicas in an unlogged table, which a crash may empty."""

import hashlib
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime

from limits import RateLimitItemPerSecond
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from shared.db.session import Database, Tx, execute, fetch_one
from shared.web.errors import too_many


class Limits:
    """The counters of one service, in the table `<service>_rate`."""

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service

    async def hit(self, where: Database | Tx | None, key: str, *, limit: int, per_s: int) -> None:
        """Count one request under a key, at most `limit` in a window of `per_s` seconds.

        `where` is the service's database (or None) for a count that stays even when the request
        fails, or an open transaction for one that goes with it. Keys are stored hashed.

        Raises:
            Problem: 429 with Retry-After when the window is full.
        """
        storage = PostgresStorage(where or self._database, self._service)
        item = RateLimitItemPerSecond(limit, per_s)
        if not await FixedWindowRateLimiter(storage).hit(item, key):
            raise too_many(max(1.0, storage.ends_at - storage.counted_at))

    async def check(self, key: str, *, limit: int, per_s: int) -> None:
        """Let pass, uncounted, unless `limit` were counted under the key in this window.

        Raises:
            Problem: 429 with Retry-After when the window is full.
        """
        strategy = FixedWindowRateLimiter(PostgresStorage(self._database, self._service))
        item = RateLimitItemPerSecond(limit, per_s)
        if not await strategy.test(item, key):
            window = await strategy.get_window_stats(item, key)
            raise too_many(max(1.0, window.reset_time - datetime.now(UTC).timestamp()))


class PostgresStorage(Storage):
    """What the limits library counts with: one upsert a hit, on the database's clock."""

    STORAGE_SCHEME = None

    def __init__(self, where: Database | Tx, service: str) -> None:
        super().__init__()
        self._where = where
        self._table = f"{service}_rate"
        self.ends_at = self.counted_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what is ours to wrap: nothing, a database error stays one."""
        return RateStorageError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` under a key whose window lasts `expiry` seconds; return the count."""
        async with self._transaction() as tx:
            row = await fetch_one(
                tx,
                f"""INSERT INTO {self._table} AS r (key, count, ends_at)
                VALUES (:key, :amount, clock_timestamp() + make_interval(secs => :expiry))
                ON CONFLICT (key) DO UPDATE SET
                  count = CASE WHEN r.ends_at <= clock_timestamp() THEN 0 ELSE r.count END
                          + excluded.count,
                  ends_at = CASE WHEN r.ends_at <= clock_timestamp()
                            THEN excluded.ends_at ELSE r.ends_at END
                RETURNING count, ends_at, clock_timestamp() AS counted_at""",  # noqa: S608
                key=_hashed(key),
                amount=amount,
                expiry=float(expiry),
            )
        if row is None:
            raise RateStorageError("the count was not kept")
        self.ends_at = row["ends_at"].timestamp()
        self.counted_at = row["counted_at"].timestamp()
        return int(row["count"])

    async def get(self, key: str) -> int:
        """Return the count of a key."""
        return (await self._row(key))[0]

    async def get_expiry(self, key: str) -> float:
        """Return when the window of a key ends, in seconds since 1970."""
        return (await self._row(key))[1]

    async def check(self) -> bool:
        """Say whether the table answers."""
        await self._row("")
        return True

    async def reset(self) -> int:
        """Forget every count; return how many there were."""
        async with self._transaction() as tx:
            return await execute(tx, f"DELETE FROM {self._table}")  # noqa: S608

    async def clear(self, key: str) -> None:
        """Forget the count of a key."""
        async with self._transaction() as tx:
            await execute(tx, f"DELETE FROM {self._table} WHERE key = :key", key=_hashed(key))  # noqa: S608

    async def prune(self) -> int:
        """Forget windows that have ended; return how many."""
        async with self._transaction() as tx:
            return await execute(
                tx,
                f"DELETE FROM {self._table} WHERE ends_at < clock_timestamp()",  # noqa: S608
            )

    async def _row(self, key: str) -> tuple[int, float]:
        async with self._transaction() as tx:
            row = await fetch_one(
                tx,
                f"SELECT count, ends_at FROM {self._table}"  # noqa: S608
                " WHERE key = :key AND ends_at > clock_timestamp()",
                key=_hashed(key),
            )
        if row is None:
            return 0, datetime.now(UTC).timestamp()
        return int(row["count"]), row["ends_at"].timestamp()

    def _transaction(self) -> AbstractAsyncContextManager[Tx]:
        if isinstance(self._where, Database):
            return self._where.transaction()
        return nullcontext(self._where)


class RateStorageError(RuntimeError):
    """The table did not do what an upsert always does."""


def _hashed(key: str) -> bytes:
    # Keys carry phones and IP addresses, which must not lie in the clear (S14).
    return hashlib.sha256(key.encode()).digest()


def rate_ddl(service: str) -> list[str]:
    """Return the statements that make the table of a service's counters, for its migration."""
    return [
        f"""CREATE UNLOGGED TABLE {service}_rate (
            key bytea PRIMARY KEY,
            count bigint NOT NULL,
            ends_at timestamptz NOT NULL
        )""",
        f"CREATE INDEX {service}_rate_ends_at ON {service}_rate (ends_at)",
    ]
