"""Every SQL statement about places that residents have left, and the gate beside them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.exc import DBAPIError

from services.geofence.index.geodesy import SHORTEST_DEGREE_M
from services.geofence.index.settle_places import Step
from shared.db.session import Tx, execute, fetch

# No alert lives longer than 24 h from before its approval on; an hour for clocks that disagree.
KEPT_FOR = timedelta(hours=25)
# An import of two million moves is forgotten in transactions of a second.
MOST_AT_ONCE = 50_000
GATE_CLOSED_FOR = "10s"
_LOCK_NOT_AVAILABLE = "55P03"


async def enter_gate(tx: Tx) -> None:
    """Hold the gate open until the transaction ends, after waiting for whoever closed it."""
    await execute(tx, "SELECT pg_advisory_xact_lock_shared(hashtextextended('geofence.left', 0))")


async def close_gate(tx: Tx, *, within_s: float) -> bool:
    """Wait until nobody is in the gate and keep it closed until the transaction ends.

    Say if that succeeded in time; if not, it stays open. A transaction that holds it for long is
    ended by the database.
    """
    try:
        async with tx.begin_nested():
            await execute(
                tx,
                "SELECT set_config('lock_timeout', :wait, true)",
                wait=f"{max(1, round(within_s * 1000))}ms",
            )
            await execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('geofence.left', 0))")
            await execute(tx, "SET LOCAL lock_timeout TO DEFAULT")
            await _limit(tx)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


async def _limit(tx: Tx) -> None:
    """Have the database end a transaction that freezes behind the gate and stops every keeper."""
    await execute(tx, "SET LOCAL idle_in_transaction_session_timeout = '3s'")
    # PostgreSQL starts no second clock while one runs.
    await execute(tx, "SET LOCAL transaction_timeout = 0")
    await execute(tx, "SELECT set_config('transaction_timeout', :most, true)", most=GATE_CLOSED_FOR)


async def add_left(tx: Tx, steps: Sequence[Step]) -> None:
    """Write the places that steps have left, and when.

    What has been read has happened: a moment ahead of our own clock counts as now.
    """
    rows = [(step, stay) for step in steps for stay in step.left]
    await execute(
        tx,
        """
        INSERT INTO geofence_left_spot
               (subscriber_id, version, place_id, lon, lat, uncertainty_m, since, left_at)
        SELECT subscriber_id, version, place_id, lon, lat, uncertainty_m,
               CASE WHEN since < now() THEN since WHEN since IS NOT NULL THEN now() END,
               least(left_at, now())
          FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[]),
                      CAST(:places AS uuid[]), CAST(:lons AS float8[]),
                      CAST(:lats AS float8[]), CAST(:metres AS float8[]),
                      CAST(:since AS timestamptz[]), CAST(:left AS timestamptz[]))
               AS gone (subscriber_id, version, place_id, lon, lat, uncertainty_m, since, left_at)
            ON CONFLICT DO NOTHING
        """,
        ids=[step.change.subscriber_id for step, _ in rows],
        versions=[step.change.version for step, _ in rows],
        places=[stay.spot.place_id for _, stay in rows],
        lons=[stay.spot.lon for _, stay in rows],
        lats=[stay.spot.lat for _, stay in rows],
        metres=[stay.spot.uncertainty_m for _, stay in rows],
        since=[stay.since for _, stay in rows],
        left=[step.happened_at for step, _ in rows],
    )


async def forget_left(tx: Tx, subscriber_ids: Collection[UUID]) -> None:
    """Forget all that some residents have left."""
    await execute(
        tx,
        "DELETE FROM geofence_left_spot WHERE subscriber_id = ANY(CAST(:ids AS uuid[]))",
        ids=list(subscriber_ids),
    )


async def left_after(
    tx: Tx, moment: datetime, *, bounds: tuple[float, float, float, float]
) -> Sequence[RowMapping]:
    """Return whose places of a moment have been left since, those that may reach into bounds.

    How far one may reach is a little too much in degrees, as it is where the area is tested.
    """
    west, south, east, north = bounds
    return await fetch(
        tx,
        """
        SELECT subscriber_id, lon, lat, uncertainty_m
          FROM geofence_left_spot,
               LATERAL (SELECT uncertainty_m / :degree_m AS tall) AS up,
               LATERAL (SELECT tall / cos(radians(least(abs(lat) + tall, 89))) AS wide) AS across
         WHERE left_at > :moment AND coalesce(since <= :moment, true)
           AND lon BETWEEN :west - wide AND :east + wide
           AND lat BETWEEN :south - tall AND :north + tall
        """,
        degree_m=SHORTEST_DEGREE_M,
        moment=moment,
        west=west,
        south=south,
        east=east,
        north=north,
    )


async def prune_left(tx: Tx) -> bool:
    """Forget places left so long ago that no alert of before can go live; say if more may be."""
    return MOST_AT_ONCE == await execute(
        tx,
        """
        DELETE FROM geofence_left_spot
         WHERE ctid = ANY(ARRAY(SELECT ctid FROM geofence_left_spot
                                 WHERE left_at < now() - CAST(:kept_for AS interval)
                                 ORDER BY left_at LIMIT :most))
        """,
        kept_for=KEPT_FOR,
        most=MOST_AT_ONCE,
    )
