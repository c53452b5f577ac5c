"""The statements for runs: when one is complete or refused, whom it reached, who never came."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch
from shared.events.audience import AudienceCompleted

_ADD_RUN = """
INSERT INTO dispatcher_run (alert_id, version, run_id, chunks, members, roster_offsets,
    roster_topic_id, area_digest)
VALUES (:alert_id, :version, :run_id, :chunks, :members, CAST(:roster_offsets AS jsonb),
        :roster_topic_id, :area_digest)
ON CONFLICT DO NOTHING
"""

_FINISH_RUNS = """
UPDATE dispatcher_run AS r SET fanned_out_at = clock_timestamp()
WHERE r.fanned_out_at IS NULL AND r.chunks <= (
    SELECT count(*) FROM dispatcher_chunk AS k
    WHERE k.alert_id = r.alert_id AND k.version = r.version AND k.run_id = r.run_id)
RETURNING r.alert_id, r.version, r.members,
    (SELECT count(*) FROM dispatcher_member AS m
     WHERE m.alert_id = r.alert_id AND m.version = r.version) AS found
"""

_HOLD_EMPTY = """
UPDATE dispatcher_broadcast SET state = 'held', reason = 'nobody'
WHERE alert_id = :alert_id AND version = :version AND kind = 'alert' AND state = 'live'
  AND NOT nobody_yet
"""

# Past the door of claims and fan-out, or an alert in full swing would not let it in.
_HOLD_REFUSED = """
WITH door AS MATERIALIZED (SELECT pg_advisory_xact_lock(
    hashtextextended(CAST(CAST(:alert_id AS uuid) AS text), :version)))
UPDATE dispatcher_broadcast SET state = 'held', reason = :reason
WHERE alert_id = :alert_id AND version = :version AND kind = 'alert' AND state = 'live'
  AND area_digest = :area_digest AND (SELECT count(*) FROM door) = 1
"""

_GIVE_UP_WAITING = """
WITH over AS MATERIALIZED (
    SELECT m.alert_id, m.version, m.subscriber_id FROM dispatcher_broadcast AS b
    JOIN dispatcher_member AS m USING (alert_id, version)
    WHERE b.state IN ('stopped', 'ended') AND b.receipts_closed_at IS NULL
      AND m.card_version IS NULL
    ORDER BY m.subscriber_id LIMIT :limit FOR UPDATE OF m SKIP LOCKED
), marked AS (
    UPDATE dispatcher_member AS m SET card_version = 0 FROM over
    WHERE m.alert_id = over.alert_id AND m.version = over.version
      AND m.subscriber_id = over.subscriber_id
)
INSERT INTO dispatcher_exclusion (alert_id, version, subscriber_id, channel, reason)
SELECT alert_id, version, subscriber_id, '', 'no_card' FROM over
ON CONFLICT DO NOTHING
"""


async def add_run(tx: Tx, event: AudienceCompleted) -> None:
    """Write a completed run."""
    values = event.model_dump(exclude={"roster_offsets"})
    offsets = orjson.dumps(event.roster_offsets).decode()
    await execute(tx, _ADD_RUN, **values, roster_offsets=offsets)


async def finish_runs(tx: Tx) -> Sequence[RowMapping]:
    """Mark runs of which every chunk has been fanned out, and return them."""
    return await fetch(tx, _FINISH_RUNS)


async def hold_empty(tx: Tx, *, alert_id: UUID, version: int) -> bool:
    """Hold a broadcast that reaches nobody, unless that was approved; say whether it was held."""
    return bool(await execute(tx, _HOLD_EMPTY, alert_id=alert_id, version=version))


async def hold_refused(
    tx: Tx, *, alert_id: UUID, version: int, area_digest: str, reason: str
) -> bool:
    """Hold a broadcast of this area that the geofence has refused; say whether it was held."""
    return bool(
        await execute(
            tx,
            _HOLD_REFUSED,
            alert_id=alert_id,
            version=version,
            area_digest=area_digest,
            reason=reason,
        )
    )


async def give_up_waiting(tx: Tx, *, limit: int) -> int:
    """Exclude the members whose card had not come when their broadcast ended."""
    return await execute(tx, _GIVE_UP_WAITING, limit=limit)
