"""Every SQL statement about ring-through tests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from services.geofence.psaps.ring_through.ringing import RingTest
from shared.db.session import Tx, execute, fetch, fetch_one

_TESTS = """
    SELECT test_id, code, kind, number, tested_at, outcome, note, tested_by, recorded_at
      FROM geofence_ring_through
"""


async def insert_test(tx: Tx, test: RingTest, *, by_town: str, key: str, digest: bytes) -> bool:
    """Keep a test; return False where its request key has been used by the same person before.

    A request that is still running with the same key is waited for.
    """
    return bool(
        await execute(
            tx,
            """
            INSERT INTO geofence_ring_through
                   (test_id, code, kind, number, tested_at, outcome, note, tested_by, by_town,
                    recorded_at, request_key, request_digest)
            VALUES (:test_id, :code, :kind, :number, :tested_at, :outcome, :note, :tested_by,
                    :by_town, :recorded_at, :key, :digest)
                ON CONFLICT (tested_by, request_key) DO NOTHING
            """,
            test_id=test.test_id,
            code=test.code,
            kind=test.kind,
            number=test.number,
            tested_at=test.tested_at,
            outcome=test.outcome,
            note=test.note,
            tested_by=test.tested_by,
            by_town=by_town,
            recorded_at=test.recorded_at,
            key=key,
            digest=digest,
        )
    )


async def kept_with(tx: Tx, *, tested_by: str, key: str) -> tuple[RingTest, bytes] | None:
    """Return the test that was kept with a request key, and the digest of its request."""
    row = await fetch_one(
        tx,
        """
        SELECT test_id, code, kind, number, tested_at, outcome, note, tested_by, recorded_at,
               request_digest
          FROM geofence_ring_through WHERE tested_by = :tested_by AND request_key = :key
        """,
        tested_by=tested_by,
        key=key,
    )
    return (_read(row), bytes(row["request_digest"])) if row else None


async def newest_tests(tx: Tx, at: datetime) -> list[RingTest]:
    """Return of each number of each centre and kind the newest test up to a moment."""
    rows = await fetch(
        tx,
        """
        SELECT DISTINCT ON (code, kind, number)
               test_id, code, kind, number, tested_at, outcome, note, tested_by, recorded_at
          FROM geofence_ring_through WHERE tested_at <= :at
         ORDER BY code, kind, number, tested_at DESC, test_id DESC
        """,
        at=at,
    )
    return [_read(row) for row in rows]


async def tests_of(tx: Tx, code: str, *, before: UUID | None, limit: int) -> list[RingTest]:
    """Return a page of a centre's tests, those kept last first, from before a test."""
    rows = await fetch(
        tx,
        f"""
        {_TESTS}
         WHERE code = :code AND (CAST(:before AS uuid) IS NULL OR test_id < :before)
         ORDER BY test_id DESC LIMIT :limit
        """,
        code=code,
        before=before,
        limit=limit,
    )
    return [_read(row) for row in rows]


def _read(row: RowMapping) -> RingTest:
    return RingTest(**{name: row[name] for name in RingTest.__slots__})
