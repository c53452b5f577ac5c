"""The statements that close what is over: broadcasts, their open deliveries, late receipts."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch

# Of one that was held to its end, why stays to be read.
_EXPIRE = """
UPDATE dispatcher_broadcast SET state = 'ended', ended_at = clock_timestamp(),
    reason = CASE state WHEN 'held' THEN reason ELSE 'expired' END
WHERE state IN ('live', 'held') AND expires_at <= clock_timestamp()
"""

_UNCLOSED = """
SELECT alert_id, version FROM dispatcher_broadcast
WHERE state IN ('stopped', 'ended') AND closed_at IS NULL AND receipts_closed_at IS NULL
ORDER BY alert_id, version LIMIT 100
"""

# Closed only when nothing is under way any more: what is unknown now may come back to be closed.
_CLOSE_ROWS = """
WITH late AS MATERIALIZED (
    SELECT d.delivery_id, b.state FROM dispatcher_delivery AS d
    JOIN dispatcher_broadcast AS b USING (alert_id, version)
    WHERE d.alert_id = :alert_id AND d.version = :version
      AND d.state IN ('pending', 'retry_wait', 'held')
    LIMIT :limit FOR UPDATE OF d SKIP LOCKED
)
UPDATE dispatcher_delivery AS d SET due_at = NULL, rank = 3, settled_at = clock_timestamp(),
    state = CASE late.state WHEN 'stopped' THEN 'cancelled' ELSE 'expired' END,
    reason = CASE late.state WHEN 'stopped' THEN 'stopped' ELSE 'expired' END
FROM late WHERE d.delivery_id = late.delivery_id
"""

_MARK_CLOSED = """
UPDATE dispatcher_broadcast AS b SET closed_at = clock_timestamp()
WHERE b.alert_id = :alert_id AND b.version = :version AND NOT EXISTS (
    SELECT FROM dispatcher_delivery AS d
    WHERE d.alert_id = b.alert_id AND d.version = b.version
      AND d.state IN ('pending', 'retry_wait', 'held', 'sending', 'unknown'))
"""

_SILENT = """
SELECT alert_id, version FROM dispatcher_broadcast
WHERE state IN ('stopped', 'ended') AND receipts_closed_at IS NULL AND closed_at IS NOT NULL
  AND COALESCE(stopped_at, ended_at) < clock_timestamp() - interval '72 hours'
ORDER BY COALESCE(stopped_at, ended_at) LIMIT :limit
"""

_GIVE_UP_RECEIPTS = """
WITH silent AS MATERIALIZED (
    SELECT d.delivery_id FROM dispatcher_delivery AS d
    WHERE d.alert_id = :alert_id AND d.version = :version AND d.state IN ('accepted', 'sent')
    LIMIT :limit FOR UPDATE OF d SKIP LOCKED
)
UPDATE dispatcher_delivery AS d SET state = 'no_receipt', rank = 2, settled_at = clock_timestamp()
FROM silent WHERE d.delivery_id = silent.delivery_id
"""

_CLOSE_RECEIPTS = """
UPDATE dispatcher_broadcast AS b SET receipts_closed_at = clock_timestamp()
WHERE b.alert_id = :alert_id AND b.version = :version AND NOT EXISTS (
    SELECT FROM dispatcher_delivery AS d WHERE d.alert_id = b.alert_id
      AND d.version = b.version AND d.state IN ('accepted', 'sent'))
"""


async def expire_broadcasts(tx: Tx) -> int:
    """End the broadcasts whose time is over."""
    return await execute(tx, _EXPIRE)


async def unclosed(tx: Tx) -> Sequence[RowMapping]:
    """Return broadcasts that are over but still have open deliveries, or may have."""
    return await fetch(tx, _UNCLOSED)


async def close_rows(tx: Tx, *, alert_id: UUID, version: int, limit: int) -> int:
    """Close some of the open deliveries of a broadcast that is over."""
    return await execute(tx, _CLOSE_ROWS, alert_id=alert_id, version=version, limit=limit)


async def mark_closed(tx: Tx, *, alert_id: UUID, version: int) -> bool:
    """Mark a broadcast whose deliveries are all closed; say whether it is."""
    return bool(await execute(tx, _MARK_CLOSED, alert_id=alert_id, version=version))


async def silent(tx: Tx, *, limit: int) -> Sequence[RowMapping]:
    """Return broadcasts that ended three days ago and still wait for receipts, oldest first."""
    return await fetch(tx, _SILENT, limit=limit)


async def give_up_receipts(tx: Tx, *, alert_id: UUID, version: int, limit: int) -> int:
    """Stop waiting for the receipts of some deliveries of a broadcast."""
    return await execute(tx, _GIVE_UP_RECEIPTS, alert_id=alert_id, version=version, limit=limit)


async def close_receipts(tx: Tx, *, alert_id: UUID, version: int) -> bool:
    """Mark a broadcast that waits for no receipt any more; say whether it does not."""
    return bool(await execute(tx, _CLOSE_RECEIPTS, alert_id=alert_id, version=version))
