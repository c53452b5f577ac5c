"""Every statement of the reports; all read-only."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, fetch, fetch_one

_ALERT = """
SELECT a.alert_id, a.version, a.state, a.approved_at, a.resolved_at, a.expires_at,
       b.state = 'held' AS is_held,
       CASE WHEN b.state = 'held' OR b.state = 'ended' AND b.reason <> 'expired'
            THEN b.reason END AS hold
FROM dispatcher_alert AS a LEFT JOIN dispatcher_broadcast AS b USING (alert_id, version)
WHERE a.alert_id = :alert_id
"""

_COUNTS = """
SELECT version, channel, state, reason, count(*) AS n,
       count(*) FILTER (WHERE handed_over_at IS NOT NULL) AS handed_over
FROM dispatcher_delivery WHERE alert_id = :alert_id
GROUP BY version, channel, state, reason
"""

# A percentile over every delivery that was handed over: what one in a hundred waited counts.
_SECONDS = """
SELECT min(s) AS first, max(s) AS last,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY s) AS p50,
       percentile_disc(0.99) WITHIN GROUP (ORDER BY s) AS p99
FROM (SELECT CAST(EXTRACT(epoch FROM handed_over_at - CAST(:since AS timestamptz)) AS float8) AS s
      FROM dispatcher_delivery
      WHERE alert_id = :alert_id AND version = :version AND handed_over_at IS NOT NULL) AS waits
"""

_AUDIENCE = """
SELECT count(*) AS people, count(*) FILTER (WHERE card_version IS NULL) AS awaiting_card,
       count(*) FILTER (WHERE late) AS late,
       count(*) FILTER (WHERE reason = 'by_uncertainty') AS by_uncertainty
FROM dispatcher_member WHERE alert_id = :alert_id AND version = :version
"""

_EXCLUDED = """
SELECT channel, reason, count(*) AS n FROM dispatcher_exclusion
WHERE alert_id = :alert_id AND version = :version GROUP BY channel, reason ORDER BY channel, reason
"""

_CORRECTION = """
SELECT version, opened_at FROM dispatcher_broadcast
WHERE alert_id = :alert_id AND kind = 'correction' ORDER BY version LIMIT 1
"""

_DELIVERIES = """
SELECT delivery_id, version, channel, state, sid, reason, code, created_at, handed_over_at,
       settled_at
FROM dispatcher_delivery
WHERE alert_id = :alert_id AND (CAST(:after AS uuid) IS NULL OR delivery_id > :after)
ORDER BY delivery_id LIMIT :limit
"""


async def find_alert(tx: Tx, alert_id: UUID) -> RowMapping | None:
    """Return an alert of the transaction's town."""
    return await fetch_one(tx, _ALERT, alert_id=alert_id)


async def count_deliveries(tx: Tx, alert_id: UUID) -> Sequence[RowMapping]:
    """Return how many deliveries there are by version, channel, state and reason."""
    return await fetch(tx, _COUNTS, alert_id=alert_id)


async def seconds(tx: Tx, alert_id: UUID, *, version: int, since: object) -> RowMapping | None:
    """Return first, median, 99th percentile and last second of hand-over after a moment."""
    return await fetch_one(tx, _SECONDS, alert_id=alert_id, version=version, since=since)


async def audience(tx: Tx, alert_id: UUID, *, version: int) -> RowMapping | None:
    """Return how many people an alert version concerns."""
    return await fetch_one(tx, _AUDIENCE, alert_id=alert_id, version=version)


async def excluded(tx: Tx, alert_id: UUID, *, version: int) -> Sequence[RowMapping]:
    """Return exclusions of an alert version by channel ("" for all of a person's) and reason."""
    return await fetch(tx, _EXCLUDED, alert_id=alert_id, version=version)


async def correction(tx: Tx, alert_id: UUID) -> RowMapping | None:
    """Return the correction of an alert."""
    return await fetch_one(tx, _CORRECTION, alert_id=alert_id)


async def deliveries(
    tx: Tx, alert_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[RowMapping]:
    """Return deliveries of an alert, all versions, in the order of their ids."""
    return await fetch(tx, _DELIVERIES, alert_id=alert_id, after=after, limit=limit)
