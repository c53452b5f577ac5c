"""Every SQL statement about zone statuses, and the reading of live alerts' areas."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from services.geofence.psaps.coverage.zones import Said, ZoneStatus
from shared.db.session import Tx, execute, fetch, fetch_value
from shared.identifiers import new_id


async def lock(tx: Tx) -> None:
    """Let statuses come in one request after the other until the transaction ends."""
    await execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('geofence.zones', 0))")


async def moment(tx: Tx) -> datetime:
    """Return the database's present moment, by which alerts live and end."""
    now: datetime = await fetch_value(tx, "SELECT clock_timestamp()")
    return now


async def insert_statuses(
    tx: Tx, statuses: Sequence[Said], *, recorded_by: str, by_town: str
) -> None:
    """Add statuses as they were said."""
    await execute(
        tx,
        """
        INSERT INTO geofence_zone_status
               (status_id, zone, status, said_at, recorded_by, by_town)
        SELECT status_id, zone, status, said_at, :recorded_by, :by_town
          FROM unnest(CAST(:ids AS uuid[]), CAST(:zones AS text[]), CAST(:statuses AS text[]),
                      CAST(:times AS timestamptz[]))
               AS said (status_id, zone, status, said_at)
        """,
        ids=[new_id() for _ in statuses],
        zones=[one.zone for one in statuses],
        statuses=[one.status for one in statuses],
        times=[one.at for one in statuses],
        recorded_by=recorded_by,
        by_town=by_town,
    )


async def statuses_at(
    tx: Tx, at: datetime, *, zones: Sequence[str] | None = None
) -> list[ZoneStatus]:
    """Return the newest status of each zone up to a moment; of two at once the one said last.

    What was said to begin ahead of our clock began when it was said: an order never waits.
    """
    rows = await fetch(
        tx,
        """
        SELECT DISTINCT ON (zone) zone, status, least(said_at, recorded_at) AS since, recorded_by
          FROM geofence_zone_status
         WHERE least(said_at, recorded_at) <= :at
           AND (CAST(:zones AS text[]) IS NULL OR zone = ANY(CAST(:zones AS text[])))
         ORDER BY zone, least(said_at, recorded_at) DESC, recorded_at DESC, status_id DESC
        """,
        at=at,
        zones=None if zones is None else list(zones),
    )
    return [ZoneStatus(**row) for row in rows]


async def live_at(tx: Tx, at: datetime) -> Sequence[RowMapping]:
    """Return the alert versions that were live at a moment, with the digest of their area.

    `idle` says why one warned nobody by then, null for one that did or warns whoever comes. A
    first run that found nobody holds its alert, whatever another finds and whoever comes later,
    unless somebody had joined late before; what was refused stays held.
    """
    return await fetch(
        tx,
        """
        SELECT alert_id, version, encode(area_digest, 'hex') AS digest,
               CASE WHEN status <> 'Actual' THEN 'not_actual'
                    WHEN refused_at <= :at THEN 'refused'
                    WHEN first.members IS NULL THEN 'unresolved'
                    WHEN first.members = 0 AND NOT nobody_yet AND NOT EXISTS (
                         SELECT 1 FROM geofence_late_joiner AS late
                          WHERE late.alert_id = alert.alert_id AND late.version = alert.version
                            AND late.joined_at <= first.completed_at)
                    THEN 'empty'
               END AS idle
          FROM geofence_live_alert AS alert
          LEFT JOIN LATERAL (SELECT coalesce(members, 0) AS members, completed_at
                               FROM geofence_run AS run
                              WHERE run.alert_id = alert.alert_id AND run.version = alert.version
                                AND run.completed_at <= :at
                              ORDER BY run.completed_at, run.members LIMIT 1) AS first ON true
         WHERE area_digest IS NOT NULL AND registered_at <= :at AND expires_at > :at
           AND (ended_at IS NULL OR ended_at > :at)
         ORDER BY alert_id, version
        """,
        at=at,
    )


async def area_wkb(tx: Tx, *, alert_id: UUID, version: int) -> bytes | None:
    """Return the area of an alert version."""
    wkb: bytes | None = await fetch_value(
        tx,
        """
        SELECT area_wkb FROM geofence_live_alert
         WHERE alert_id = :alert_id AND version = :version
        """,
        alert_id=alert_id,
        version=version,
    )
    return wkb
