"""Every SQL statement about live alerts, runs and late joiners."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from shared.db.session import Tx, execute, fetch, fetch_one, fetch_value


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of registering an alert version; only `live` ones are resolved."""

    live: bool
    same_area: bool
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class LiveAlert:
    """An alert version that late joiners are still to be warned by; digest in hex."""

    alert_id: UUID
    version: int
    digest: str


async def register(
    tx: Tx, *, alert_id: UUID, version: int, wkb: bytes, digest: str, expires_at: datetime
) -> Registered:
    """Register an alert version as live unless it has ended, expired or has a newer version.

    Older versions of it end with that.
    """
    await execute(
        tx,
        """
        INSERT INTO geofence_live_alert
               (alert_id, version, area_wkb, area_digest, expires_at, registered_at)
        VALUES (:alert_id, :version, :wkb, decode(:digest, 'hex'), :expires_at, now())
            ON CONFLICT (alert_id, version) DO NOTHING
        """,
        alert_id=alert_id,
        version=version,
        wkb=wkb,
        digest=digest,
        expires_at=expires_at,
    )
    row = await fetch_one(
        tx,
        """
        SELECT ended_at IS NOT NULL AS ended, coalesce(expires_at <= now(), false) AS expired,
               coalesce(area_digest = decode(:digest, 'hex'), true) AS same_area,
               EXISTS (SELECT 1 FROM geofence_live_alert AS newer
                        WHERE newer.alert_id = :alert_id AND newer.version > :version)
                   AS superseded
          FROM geofence_live_alert WHERE alert_id = :alert_id AND version = :version
        """,
        alert_id=alert_id,
        version=version,
        digest=digest,
    )
    if row is None:
        raise RuntimeError("the alert just registered is not there")
    for why in ("ended", "superseded", "expired"):
        if row[why]:
            await end(tx, alert_id=alert_id, version=version, reason=why)
            return Registered(live=False, same_area=row["same_area"], why_not=why)
    await execute(
        tx,
        """
        UPDATE geofence_live_alert SET ended_at = now(), end_reason = 'superseded'
         WHERE alert_id = :alert_id AND version < :version AND ended_at IS NULL
        """,
        alert_id=alert_id,
        version=version,
    )
    return Registered(live=True, same_area=row["same_area"])


async def end(tx: Tx, *, alert_id: UUID, version: int, reason: str) -> None:
    """End an alert version, also one that has not been registered yet."""
    await execute(
        tx,
        """
        INSERT INTO geofence_live_alert AS known (alert_id, version, ended_at, end_reason)
        VALUES (:alert_id, :version, now(), :reason)
            ON CONFLICT (alert_id, version) DO UPDATE
           SET ended_at = EXCLUDED.ended_at, end_reason = EXCLUDED.end_reason
         WHERE known.ended_at IS NULL
        """,
        alert_id=alert_id,
        version=version,
        reason=reason,
    )


async def is_live(tx: Tx, *, alert_id: UUID, version: int) -> bool:
    """Say whether an alert version is live now."""
    return bool(
        await fetch_value(
            tx,
            """
            SELECT EXISTS (SELECT 1 FROM geofence_live_alert
                            WHERE alert_id = :alert_id AND version = :version
                              AND ended_at IS NULL AND expires_at > now())
            """,
            alert_id=alert_id,
            version=version,
        )
    )


async def live_alerts(tx: Tx) -> list[LiveAlert]:
    """Return the alert versions that are live now."""
    rows = await fetch(
        tx,
        """
        SELECT alert_id, version, encode(area_digest, 'hex') AS digest
          FROM geofence_live_alert
         WHERE ended_at IS NULL AND expires_at > now()
         ORDER BY registered_at, alert_id
        """,
    )
    return [LiveAlert(**row) for row in rows]


async def area_wkb(tx: Tx, alert: LiveAlert) -> bytes:
    """Return the area of a live alert."""
    wkb: bytes = await fetch_value(
        tx,
        """
        SELECT area_wkb FROM geofence_live_alert
         WHERE alert_id = :alert_id AND version = :version
        """,
        alert_id=alert.alert_id,
        version=alert.version,
    )
    return wkb


async def add_late_joiners(tx: Tx, alert: LiveAlert, subscriber_ids: Collection[UUID]) -> set[UUID]:
    """Note who joins a live alert late; return those not noted before."""
    rows = await fetch(
        tx,
        """
        INSERT INTO geofence_late_joiner (alert_id, version, subscriber_id)
        SELECT :alert_id, :version, subscriber_id
          FROM unnest(CAST(:ids AS uuid[])) AS joined (subscriber_id)
         ORDER BY subscriber_id
            ON CONFLICT DO NOTHING
        RETURNING subscriber_id
        """,
        alert_id=alert.alert_id,
        version=alert.version,
        ids=sorted(subscriber_ids),
    )
    return {row["subscriber_id"] for row in rows}


async def begin_run(tx: Tx, *, run_id: UUID, alert_id: UUID, version: int) -> None:
    """Note that a run begins."""
    await execute(
        tx,
        """
        INSERT INTO geofence_run (run_id, alert_id, version) VALUES (:run_id, :alert_id, :version)
        """,
        run_id=run_id,
        alert_id=alert_id,
        version=version,
    )


async def complete_run(
    tx: Tx,
    *,
    run_id: UUID,
    went_early: bool,
    chunks: int,
    members: int,
    topic_id: str,
    offsets: Mapping[int, int],
) -> None:
    """Note what a run published and which roster it saw."""
    await execute(
        tx,
        """
        UPDATE geofence_run
           SET completed_at = now(), went_early = :went_early, chunks = :chunks,
               members = :members, roster_topic_id = :topic_id,
               roster_offsets = CAST(:offsets AS jsonb)
         WHERE run_id = :run_id
        """,
        run_id=run_id,
        went_early=went_early,
        chunks=chunks,
        members=members,
        topic_id=topic_id,
        offsets=orjson.dumps({str(one): offset for one, offset in offsets.items()}).decode(),
    )
