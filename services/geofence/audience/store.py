"""Every SQL statement about live alerts, runs and late joiners."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch, fetch_one, fetch_value
from shared.events.alert import AlertApproved


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of registering an alert version; only `live` ones are resolved."""

    live: bool
    same_area: bool
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """How far the roster was seen: the identity of its topic, and an offset per partition."""

    topic_id: str
    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class LiveAlert:
    """An alert version that late joiners are still to be warned by; digest in hex.

    Changes before `since` are seen by every run of it. The dispatcher has been told that one is
    `refused_for` something.
    """

    alert_id: UUID
    version: int
    digest: str
    since: Sight | None = None
    refused_for: str | None = None
    approved_at: datetime | None = None


async def register(tx: Tx, alert: AlertApproved, *, wkb: bytes, since: Sight | None) -> Registered:
    """Register an alert version as live unless it has ended, expired or has a newer version.

    `since` is how far the roster was before this; that of the first registration stays.

    Older versions of it end with that. Versions of one alert are registered one after the other:
    beside each other neither would see that it is, or has, a newer one.
    """
    alert_id, version, digest = alert.alert_id, alert.version, alert.area_digest
    await execute(
        tx,
        "SELECT pg_advisory_xact_lock(hashtextextended(CAST(CAST(:id AS uuid) AS text), 0))",
        id=alert_id,
    )
    await execute(
        tx,
        """
        INSERT INTO geofence_live_alert
               (alert_id, version, status, area_wkb, area_digest, approved_at, expires_at,
                nobody_yet, registered_at, roster_topic_id, roster_offsets)
        VALUES (:alert_id, :version, :status, :wkb, decode(:digest, 'hex'), :approved_at,
                :expires_at, :nobody_yet, now(), :topic_id, CAST(:offsets AS jsonb))
            ON CONFLICT (alert_id, version) DO NOTHING
        """,
        alert_id=alert_id,
        version=version,
        status=alert.status,
        wkb=wkb,
        digest=digest,
        approved_at=alert.approved_at,
        expires_at=alert.expires_at,
        nobody_yet=alert.nobody_yet,
        topic_id=since and since.topic_id,
        offsets=since and _json(since.offsets),
    )
    await execute(
        tx,
        """
        UPDATE geofence_live_alert SET ended_at = now(), end_reason = 'superseded'
         WHERE alert_id = :alert_id AND version < :version AND ended_at IS NULL
        """,
        alert_id=alert_id,
        version=version,
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
        SELECT alert_id, version, encode(area_digest, 'hex') AS digest,
               roster_topic_id, CAST(roster_offsets AS text) AS roster_offsets,
               refused_for, approved_at
          FROM geofence_live_alert
         WHERE ended_at IS NULL AND expires_at > now()
         ORDER BY registered_at, alert_id
        """,
    )
    return [
        LiveAlert(
            alert_id=row["alert_id"],
            version=row["version"],
            digest=row["digest"],
            since=_sight(row),
            refused_for=row["refused_for"],
            approved_at=row["approved_at"],
        )
        for row in rows
    ]


async def note_refused(
    tx: Tx, alert: LiveAlert | AlertApproved, *, digest: str, reason: str
) -> bool:
    """Note on a registered alert of this area that it is refused; say if not yet for this reason.

    It has not ended by that: runs may still be made of it.
    """
    return bool(
        await execute(
            tx,
            """
            UPDATE geofence_live_alert
               SET refused_at = coalesce(refused_at, clock_timestamp()), refused_for = :reason
             WHERE alert_id = :alert_id AND version = :version
               AND area_digest = decode(:digest, 'hex')
               AND ended_at IS NULL AND refused_for IS DISTINCT FROM :reason
            """,
            alert_id=alert.alert_id,
            version=alert.version,
            digest=digest,
            reason=reason,
        )
    )


async def area_wkb(tx: Tx, alert: LiveAlert) -> bytes:
    """Return the area of a live alert; nothing where there is none."""
    wkb: bytes | None = await fetch_value(
        tx,
        """
        SELECT area_wkb FROM geofence_live_alert
         WHERE alert_id = :alert_id AND version = :version
        """,
        alert_id=alert.alert_id,
        version=alert.version,
    )
    return wkb or b""


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
    sight: Sight,
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
        topic_id=sight.topic_id,
        offsets=_json(sight.offsets),
    )


async def kept_offsets(tx: Tx, *, topic_id: str) -> dict[int, int]:
    """Return the offsets up to which the partitions of this very topic have been kept."""
    rows = await fetch(
        tx,
        "SELECT partition, next_offset FROM geofence_roster_offset WHERE topic_id = :topic_id",
        topic_id=topic_id,
    )
    return {row["partition"]: row["next_offset"] for row in rows}


def _json(offsets: Mapping[int, int]) -> str:
    return orjson.dumps({str(one): offset for one, offset in offsets.items()}).decode()


def _sight(row: RowMapping) -> Sight | None:
    if row["roster_topic_id"] is None:
        return None
    offsets = orjson.loads(row["roster_offsets"])
    return Sight(row["roster_topic_id"], {int(one): at for one, at in offsets.items()})
