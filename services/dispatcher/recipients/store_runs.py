"""The statements for runs: when one is complete or refused, whom it reached, who never came."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch, fetch_value
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

NOBODY, UNREACHABLE = "nobody", "nobody-reachable"
# Cards follow within seconds. One that never comes must not keep a person from hearing that nobody
# is told; the hold ends by itself if it comes after all.
CARD_S = 60

# Nobody is told and nobody may be soon: a run is whole, there is no delivery, and no card is
# awaited, or has been for too long.
_IS_UNHEARD = f"""
b.kind = 'alert' AND b.state = 'live' AND NOT b.nobody_yet AND b.expires_at > clock_timestamp()
  AND EXISTS (SELECT FROM dispatcher_run AS r WHERE r.alert_id = b.alert_id
              AND r.version = b.version AND r.fanned_out_at IS NOT NULL
              AND (r.fanned_out_at < clock_timestamp() - interval '{CARD_S} seconds'
                   OR NOT EXISTS (
                       SELECT FROM dispatcher_member AS m WHERE m.alert_id = b.alert_id
                       AND m.version = b.version AND m.card_version IS NULL)))
  AND NOT EXISTS (SELECT FROM dispatcher_delivery AS d
                  WHERE d.alert_id = b.alert_id AND d.version = b.version)
"""

_UNHEARD = f"SELECT b.alert_id, b.version FROM dispatcher_broadcast AS b WHERE {_IS_UNHEARD}"

# Whoever fans out or completes holds the door until it has committed. While one does, this is not
# the moment to judge, nor to wait with doors of other alerts shut; there is another in a second.
_TRY_DOOR = """
SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(CAST(:alert_id AS uuid) AS text), :version))
"""

_HOLD_UNHEARD = f"""
UPDATE dispatcher_broadcast AS b SET state = 'held', reason = CASE WHEN EXISTS (
    SELECT FROM dispatcher_member AS m WHERE m.alert_id = b.alert_id AND m.version = b.version)
    THEN '{UNREACHABLE}' ELSE '{NOBODY}' END
WHERE b.alert_id = :alert_id AND b.version = :version AND {_IS_UNHEARD}
RETURNING b.reason
"""

_IS_REACHED = f"""
b.kind = 'alert' AND b.state = 'held' AND b.reason = '{UNREACHABLE}'
  AND b.expires_at > clock_timestamp()
  AND EXISTS (SELECT FROM dispatcher_delivery AS d
              WHERE d.alert_id = b.alert_id AND d.version = b.version)
"""

# One whose door does not open in time must not always come before the others.
_REACHED = f"""
SELECT b.alert_id, b.version FROM dispatcher_broadcast AS b WHERE {_IS_REACHED} ORDER BY random()
"""

_DOOR_WAIT = "SET LOCAL lock_timeout = '5s'"

_SHUT_DOOR = """
SELECT pg_advisory_xact_lock(hashtextextended(CAST(CAST(:alert_id AS uuid) AS text), :version))
"""

_RELEASE = f"""
UPDATE dispatcher_broadcast AS b SET state = 'live', reason = NULL
WHERE b.alert_id = :alert_id AND b.version = :version AND {_IS_REACHED}
RETURNING b.alert_id
"""

# Whoever was asked for while it was held has been passed over, so it comes due again.
_ASK_AGAIN = """
WITH passed AS MATERIALIZED (
    SELECT d.delivery_id FROM dispatcher_delivery AS d
    WHERE d.alert_id = :alert_id AND d.version = :version
      AND d.state IN ('pending', 'retry_wait') AND d.due_at IS NULL
    ORDER BY d.delivery_id FOR UPDATE
)
UPDATE dispatcher_delivery AS d SET due_at = clock_timestamp()
FROM passed AS p WHERE d.delivery_id = p.delivery_id
"""

# Past the door of claims and fan-out, or an alert in full swing would not let it in. A hold that
# would end by itself becomes one that does not.
_HOLD_REFUSED = f"""
WITH door AS MATERIALIZED (SELECT pg_advisory_xact_lock(
    hashtextextended(CAST(CAST(:alert_id AS uuid) AS text), :version)))
UPDATE dispatcher_broadcast SET state = 'held', reason = :reason
WHERE alert_id = :alert_id AND version = :version AND kind = 'alert'
  AND (state = 'live' OR state = 'held' AND reason = '{UNREACHABLE}')
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


async def unheard(tx: Tx) -> list[tuple[UUID, int]]:
    """Return broadcasts that look as if they would be heard by nobody."""
    return [(row["alert_id"], row["version"]) for row in await fetch(tx, _UNHEARD)]


async def hold_unheard(tx: Tx, *, alert_id: UUID, version: int) -> str | None:
    """Hold a broadcast that nobody hears and return why; None where somebody does, or may yet."""
    at = {"alert_id": alert_id, "version": version}
    # A statement of its own: the next one sees what was committed before the door was shut.
    if not await fetch_value(tx, _TRY_DOOR, **at):
        return None
    reason: str | None = await fetch_value(tx, _HOLD_UNHEARD, **at)
    return reason


async def reached(tx: Tx) -> list[tuple[UUID, int]]:
    """Return broadcasts held because nobody could be told, of which somebody can be by now."""
    return [(row["alert_id"], row["version"]) for row in await fetch(tx, _REACHED)]


async def release_reached(tx: Tx, *, alert_id: UUID, version: int) -> None:
    """Let a broadcast go on that somebody can be told of by now; a transaction for each."""
    at = {"alert_id": alert_id, "version": version}
    await execute(tx, _DOOR_WAIT)
    # Statements of their own: each sees what was committed before the door was shut.
    await execute(tx, _SHUT_DOOR, **at)
    if await fetch_value(tx, _RELEASE, **at) is not None:
        await execute(tx, _ASK_AGAIN, **at)


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
