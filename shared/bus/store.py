"""Every SQL statement of the outbox: its tables, what waits, what is published, who relays."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch, fetch_value

LANES = (1, 2)


def outbox_ddl(service: str) -> list[str]:
    """Return the statements that make a service's outbox; for its first migration."""
    return [
        f"""CREATE TABLE {service}_outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            lane smallint NOT NULL CHECK (lane IN (1, 2)),
            topic text NOT NULL,
            key bytea NOT NULL,
            value bytea,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            published_at timestamptz,
            refused text
        ) WITH (autovacuum_vacuum_scale_factor = 0.02)""",
        f"""CREATE INDEX {service}_outbox_waiting ON {service}_outbox (lane, id)
            WHERE published_at IS NULL AND refused IS NULL""",
        f"""CREATE INDEX {service}_outbox_published ON {service}_outbox (published_at)
            WHERE published_at IS NOT NULL""",
        f"""CREATE TABLE {service}_relay (
            lane smallint PRIMARY KEY CHECK (lane IN (1, 2)),
            holder text NOT NULL,
            beat_at timestamptz NOT NULL
        )""",
    ]


async def insert_rows(
    tx: Tx,
    service: str,
    *,
    lanes: Sequence[int],
    topics: Sequence[str],
    keys: Sequence[bytes],
    values: Sequence[bytes | None],
) -> None:
    """Write records into the outbox in the order given."""
    await execute(
        tx,
        f"""INSERT INTO {service}_outbox (lane, topic, key, value)
            SELECT lane, topic, key, value
            FROM unnest(CAST(:lanes AS smallint[]), CAST(:topics AS text[]),
                        CAST(:keys AS bytea[]), CAST(:values AS bytea[]))
                 WITH ORDINALITY AS r (lane, topic, key, value, n)
            ORDER BY n""",  # noqa: S608  the service's name is ours
        lanes=list(lanes),
        topics=list(topics),
        keys=list(keys),
        values=list(values),
    )


async def waiting_rows(tx: Tx, service: str, *, lane: int, limit: int) -> Sequence[RowMapping]:
    """Return the oldest unpublished rows that can be seen; never "newer than the last one seen"."""
    return await fetch(
        tx,
        f"""SELECT id, topic, key, value FROM {service}_outbox
            WHERE lane = :lane AND published_at IS NULL AND refused IS NULL
            ORDER BY id LIMIT :limit""",  # noqa: S608
        lane=lane,
        limit=limit,
    )


async def mark_published(tx: Tx, service: str, ids: Sequence[int]) -> int:
    """Note that rows are on the topic."""
    return await execute(
        tx,
        f"""UPDATE {service}_outbox SET published_at = clock_timestamp()
            WHERE id = ANY(CAST(:ids AS bigint[]))""",  # noqa: S608
        ids=list(ids),
    )


async def set_aside(tx: Tx, service: str, *, row_id: int, reason: str) -> None:
    """Take a row that can never be sent out of the way of the others."""
    await execute(
        tx,
        f"UPDATE {service}_outbox SET refused = :reason WHERE id = :id",  # noqa: S608
        id=row_id,
        reason=reason,
    )


async def prune(tx: Tx, service: str, *, days: int, limit: int) -> int:
    """Delete rows published more than `days` days ago, at most `limit`; return how many."""
    return await execute(
        tx,
        f"""DELETE FROM {service}_outbox WHERE id IN (
                SELECT id FROM {service}_outbox
                WHERE published_at < clock_timestamp() - make_interval(days => :days)
                ORDER BY published_at LIMIT :limit FOR UPDATE SKIP LOCKED)""",  # noqa: S608
        days=days,
        limit=limit,
    )


async def waiting_again(tx: Tx, service: str, *, topic: str, since: datetime) -> int:
    """Let published rows of a topic be published once more; return how many."""
    return await execute(
        tx,
        f"""UPDATE {service}_outbox SET published_at = NULL
            WHERE topic = :topic AND created_at >= :since
              AND published_at IS NOT NULL""",  # noqa: S608
        topic=topic,
        since=since,
    )


async def try_lead(tx: Tx, service: str, *, lane: int, holder: str) -> bool:
    """Take the lane's lock for this session if nobody has it."""
    taken: bool = await fetch_value(
        tx, "SELECT pg_try_advisory_lock(hashtextextended(:name, 0))", name=_lock(service, lane)
    )
    if taken:
        await beat(tx, service, lane=lane, holder=holder)
    return taken


async def still_leads(tx: Tx, service: str, *, lane: int) -> bool:
    """Tell whether this very session holds the lane's lock."""
    held: bool = await fetch_value(
        tx, f"SELECT EXISTS ({_HOLDER} AND pid = pg_backend_pid())", name=_lock(service, lane)
    )
    return held


async def beat(tx: Tx, service: str, *, lane: int, holder: str) -> None:
    """Say that the lane's holder lives."""
    await execute(
        tx,
        f"""INSERT INTO {service}_relay (lane, holder, beat_at)
            VALUES (:lane, :holder, clock_timestamp())
            ON CONFLICT (lane) DO UPDATE
            SET holder = EXCLUDED.holder, beat_at = EXCLUDED.beat_at""",  # noqa: S608
        lane=lane,
        holder=holder,
    )


async def end_silent_holder(tx: Tx, service: str, *, lane: int, silent_s: float) -> bool:
    """Terminate the session of a holder that has been silent for too long."""
    ended: Any = await fetch_value(
        tx,
        f"""SELECT bool_or(pg_terminate_backend(pid)) FROM ({_HOLDER}) AS holder
            WHERE EXISTS (SELECT FROM {service}_relay WHERE lane = :lane
                  AND beat_at < clock_timestamp() - make_interval(secs => :silent_s))""",  # noqa: S608
        name=_lock(service, lane),
        lane=lane,
        silent_s=silent_s,
    )
    return bool(ended)


_HOLDER = """SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (CAST(classid AS bigint) << 32) | CAST(objid AS bigint)
          = hashtextextended(:name, 0)"""


def _lock(service: str, lane: int) -> str:
    return f"ctalert.relay.{service}.{lane}"


async def waiting_count(tx: Tx, service: str) -> int:
    """Return how many rows are still to be published."""
    count: int = await fetch_value(
        tx,
        f"""SELECT count(*) FROM {service}_outbox
            WHERE published_at IS NULL AND refused IS NULL""",  # noqa: S608
    )
    return count
