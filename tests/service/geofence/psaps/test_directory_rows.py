"""What the database itself holds of the directory, whoever writes in it."""

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from shared.db.session import execute
from tests.service.geofence.psaps.desk import (
    ANDOVER,
    IN_ANDOVER,
    Desk,
)


async def owner(desk: Desk, spot: tuple[float, float], at: str) -> tuple[str, Any]:
    """Return the one centre of a point at a moment, and whether boundary and town agree."""
    answer = await desk.at(spot, at=at)
    [one] = answer["candidates"]
    assert one["psap"]["code"] == one["code"]
    return one["code"], answer["agree"]


ROW = "INSERT INTO geofence_psap_town (town, valid_from, revision, code, recorded_by) VALUES "
END = (
    "INSERT INTO geofence_psap_record (code, valid_from, revision, ended, name, fallout_numbers,"
    " emergency_numbers, recorded_by) VALUES "
)


@pytest.mark.parametrize(
    ("town", "sql", "error"),
    [
        # The database itself: a town for a centre that is not there, then or at all.
        (
            "*",
            ROW + "('0901301080', '2026-01-01Z', 1, 'Q', 'duty')",
            "without its 9-1-1 centre",
        ),
        (
            "*",
            ROW + "('0901301080', '2019-01-01Z', 1, 'B', 'duty')",
            "without its 9-1-1 centre",
        ),
        (
            "*",
            END + "('A', '2026-01-01Z', 1, true, 'A', '{}', '{}', 'duty')",
            "without its 9-1-1 centre",
        ),
        # One row a town and moment; nothing changed, nothing deleted.
        ("*", ROW + "('0901301080', '2020-01-01T05:00Z', 1, 'B', 'duty')", "duplicate key"),
        ("*", "UPDATE geofence_psap_town SET code = 'B'", "only ever added to"),
        ("*", "DELETE FROM geofence_psap_town", "only ever added to"),
        ("*", "UPDATE geofence_psap_record SET name = 'B'", "only ever added to"),
        ("*", "DELETE FROM geofence_psap_record", "only ever added to"),
        # Nobody who acts for one town, or for nobody, writes in the directory.
        (
            ANDOVER,
            ROW + "('0901301080', '2026-01-01Z', 1, 'B', 'duty')",
            "row-level security",
        ),
        (None, ROW + "('0901301080', '2026-01-01Z', 1, 'B', 'duty')", "row-level security"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "nobody",
)
@pytest.mark.shows("S10")
async def test_the_database_holds_what_the_verbs_promise(
    desk: Desk, town: str | None, sql: str, error: str
) -> None:
    await desk.open_three()
    with pytest.raises(DBAPIError, match=error):
        async with desk.database.transaction(town=town) as tx:
            await execute(tx, sql)
    assert await owner(desk, IN_ANDOVER, "2026-05-01T00:00:00Z") == ("A", True)


async def test_a_transaction_beside_another_waits_and_is_then_refused(desk: Desk) -> None:
    """Each alone would be right: C ends, and a town goes to C; the second one sees the first."""
    await desk.open_three()
    url = desk.database.engine.url.render_as_string(hide_password=False).replace("+asyncpg", "")
    first, second = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        for one in (first, second):
            await one.execute("BEGIN; SELECT set_config('ctalert.town', '*', true)")
        await first.execute(
            f"{ROW} ('0901501430', '2026-05-01Z', 1, 'B', 'duty');"
            f"{END} ('C', '2026-05-01Z', 1, true, 'C', '{{}}', '{{}}', 'duty')"
        )
        giving = asyncio.create_task(
            second.execute(ROW + "('0901301080', '2026-05-01Z', 1, 'C', 'duty')")
        )
        watch = await asyncpg.connect(url)
        try:
            async with asyncio.timeout(20):
                while not await watch.fetchval(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                    " AND database = (SELECT oid FROM pg_database"
                    " WHERE datname = current_database())"
                ):
                    continue
        finally:
            await watch.close()
        assert not giving.done()
        await first.execute("COMMIT")
        await giving
        with pytest.raises(asyncpg.CheckViolationError):
            await second.execute("COMMIT")
    finally:
        await first.close()
        await second.close()
    assert await owner(desk, IN_ANDOVER, "2026-05-02T00:00:00Z") == ("A", True)
