"""Every statement on alerts."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from shared.db.session import Tx, fetch, fetch_one

_ALL = """alert_id, town, version, state, origin, status, event, category, severity, urgency,
  certainty, emergency, channels, texts, content_digest, area_request, area_wkb, area_digest,
  area_answer, expected_people, digest, nobody_yet, expires_at, created_by, created_at,
  submitted_by, submitted_at, approved_by, approved_at, announced_at, resolved_at,
  dispatching_at, sent_at, cancelled_by, cancelled_at, ended_at, hold_reason, cap_id, area_hold,
  held_codes, area_set_by, area_set_at, area_received,
  (SELECT b.reason FROM dispatcher_broadcast AS b
   WHERE b.alert_id = dispatcher_alert.alert_id AND b.version = dispatcher_alert.version
     AND (b.state = 'held' OR b.state = 'ended' AND b.reason <> 'expired')) AS sending_hold"""

_INSERT = f"""
INSERT INTO dispatcher_alert
  (alert_id, town, state, origin, status, event, category, severity, urgency, certainty,
   emergency, channels, texts, content_digest, area_request, expires_at, created_by, hold_reason,
   cap_id, area_hold, held_codes, area_answer, created_at)
VALUES
  (:alert_id, :town, 'draft', :origin, :status, :event, :category, :severity, :urgency,
   :certainty, :emergency, CAST(:channels AS text[]), CAST(:texts AS jsonb), :content_digest,
   CAST(:area_request AS jsonb), :expires_at, :created_by, :hold_reason, :cap_id,
   :area_hold, CAST(:held_codes AS text[]), CAST(:area_answer AS jsonb), clock_timestamp())
RETURNING {_ALL}
"""

_SET_AREA = f"""
UPDATE dispatcher_alert SET area_wkb = :packed, area_digest = :area_digest,
  area_answer = CAST(:answer AS jsonb), expected_people = :people, digest = :digest,
  area_hold = NULL, held_codes = '{{}}'
WHERE alert_id = :alert_id RETURNING {_ALL}
"""

_SUBMIT = f"""
UPDATE dispatcher_alert SET state = :state, submitted_by = :who, submitted_at = clock_timestamp()
WHERE alert_id = :alert_id RETURNING {_ALL}
"""

_APPROVE = f"""
UPDATE dispatcher_alert SET state = :state, approved_by = :who, nobody_yet = :nobody_yet,
  approved_at = clock_timestamp(), announced_at = clock_timestamp()
WHERE alert_id = :alert_id RETURNING {_ALL}
"""

_CANCEL = f"""
UPDATE dispatcher_alert SET state = :state, cancelled_by = :who,
  cancelled_at = clock_timestamp(), ended_at = COALESCE(ended_at, clock_timestamp())
WHERE alert_id = :alert_id RETURNING {_ALL}
"""

_LIST = f"""
SELECT {_ALL} FROM dispatcher_alert
WHERE (CAST(:state AS text) IS NULL OR state = :state)
  AND (CAST(:after AS uuid) IS NULL OR alert_id < :after)
ORDER BY alert_id DESC LIMIT :limit
"""


async def insert_alert(tx: Tx, **values: Any) -> RowMapping:
    """Write a draft and return it."""
    for name in ("texts", "area_request", "area_answer"):
        given = values[name]
        values[name] = None if given is None else orjson.dumps(given).decode()
    return _one(await fetch_one(tx, _INSERT, **values))


async def find(tx: Tx, alert_id: UUID, *, lock: bool = False) -> RowMapping | None:
    """Return an alert of the transaction's town, locked if asked."""
    sql = f"SELECT {_ALL} FROM dispatcher_alert WHERE alert_id = :alert_id"
    return await fetch_one(tx, sql + " FOR UPDATE" * lock, alert_id=alert_id)


async def list_alerts(
    tx: Tx, *, state: str | None, after: UUID | None, limit: int
) -> Sequence[RowMapping]:
    """Return the alerts of the transaction's town, newest first."""
    return await fetch(tx, _LIST, state=state, after=after, limit=limit)


async def set_area(
    tx: Tx,
    alert_id: UUID,
    *,
    packed: bytes,
    area_digest: str,
    answer: Any,
    people: int,
    digest: str,
) -> RowMapping:
    """Keep the verified area of an alert."""
    return _one(
        await fetch_one(
            tx,
            _SET_AREA,
            alert_id=alert_id,
            packed=packed,
            area_digest=area_digest,
            answer=orjson.dumps(answer).decode(),
            people=people,
            digest=digest,
        )
    )


async def mark_submitted(tx: Tx, alert_id: UUID, *, state: str, who: str) -> RowMapping:
    """Record who submitted an alert."""
    return _one(await fetch_one(tx, _SUBMIT, alert_id=alert_id, state=state, who=who))


async def mark_approved(
    tx: Tx, alert_id: UUID, *, state: str, who: str, nobody_yet: bool
) -> RowMapping:
    """Record who approved an alert, and that it is announced in this transaction."""
    return _one(
        await fetch_one(
            tx, _APPROVE, alert_id=alert_id, state=state, who=who, nobody_yet=nobody_yet
        )
    )


async def mark_cancelled(tx: Tx, alert_id: UUID, *, state: str, who: str) -> RowMapping:
    """Record who cancelled an alert."""
    return _one(await fetch_one(tx, _CANCEL, alert_id=alert_id, state=state, who=who))


def _one(row: RowMapping | None) -> RowMapping:
    if row is None:
        raise LookupError("the alert's row is not there")
    return row


async def lapse(tx: Tx, *, sources: Sequence[str], limit: int) -> Sequence[RowMapping]:
    """Close what nobody decided on within a day, and return it."""
    return await fetch(
        tx,
        """UPDATE dispatcher_alert SET state = 'lapsed' WHERE alert_id IN (
             SELECT alert_id FROM dispatcher_alert
             WHERE state = ANY(CAST(:sources AS text[]))
               AND created_at < clock_timestamp() - interval '24 hours'
             ORDER BY alert_id LIMIT :limit FOR UPDATE SKIP LOCKED)
           RETURNING alert_id, state, area_digest""",
        sources=list(sources),
        limit=limit,
    )


async def expire_undecided(tx: Tx, *, sources: Sequence[str], limit: int) -> Sequence[RowMapping]:
    """Close what expired before anybody decided, and return it."""
    return await fetch(
        tx,
        """UPDATE dispatcher_alert SET state = 'expired' WHERE alert_id IN (
             SELECT alert_id FROM dispatcher_alert
             WHERE state = ANY(CAST(:sources AS text[])) AND expires_at <= clock_timestamp()
             ORDER BY alert_id LIMIT :limit FOR UPDATE SKIP LOCKED)
           RETURNING alert_id, state, area_digest""",
        sources=list(sources),
        limit=limit,
    )


async def end_expired(tx: Tx, *, limit: int) -> Sequence[RowMapping]:
    """Mark live alerts whose time is over as ended, and return them to be announced.

    One of which nothing was handed over has expired, however far it had come.
    """
    return await fetch(
        tx,
        """UPDATE dispatcher_alert AS a SET ended_at = clock_timestamp(),
             state = CASE WHEN a.state IN ('approved', 'dispatching') AND NOT EXISTS (
               SELECT 1 FROM dispatcher_delivery AS d
               WHERE d.alert_id = a.alert_id AND d.version = a.version
                 AND (d.handed_over_at IS NOT NULL OR d.state IN ('sending', 'unknown')))
               THEN 'expired' ELSE a.state END
           WHERE alert_id IN (
             SELECT alert_id FROM dispatcher_alert
             WHERE state IN ('approved', 'dispatching', 'sent') AND ended_at IS NULL
               AND expires_at <= clock_timestamp()
             ORDER BY alert_id LIMIT :limit FOR UPDATE SKIP LOCKED)
           RETURNING alert_id, version, ended_at""",
        limit=limit,
    )


# A run on its way writes chunks of the audience (late joiners and late cards say nothing of it);
# only when none has come for a while is the alert told again. One that is held waits for a person.
_REANNOUNCE = f"""
UPDATE dispatcher_alert SET announced_at = clock_timestamp()
WHERE alert_id IN (
  SELECT l.alert_id FROM dispatcher_alert AS l
  WHERE l.state IN ('approved', 'dispatching') AND l.resolved_at IS NULL
    AND l.ended_at IS NULL AND l.expires_at > clock_timestamp()
    AND l.announced_at < clock_timestamp() - make_interval(secs => :silence_s)
    AND NOT EXISTS (
      SELECT 1 FROM dispatcher_chunk AS c
      WHERE c.alert_id = l.alert_id AND c.version = l.version AND c.origin = 'audience'
        AND c.created_at > clock_timestamp() - make_interval(secs => :silence_s))
    AND NOT EXISTS (
      SELECT 1 FROM dispatcher_broadcast AS b
      WHERE b.alert_id = l.alert_id AND b.version = l.version AND b.state = 'held')
  ORDER BY l.alert_id LIMIT :limit FOR UPDATE OF l SKIP LOCKED)
RETURNING {_ALL}
"""


async def announce_again(tx: Tx, *, silence_s: float, limit: int) -> Sequence[RowMapping]:
    """Return approved alerts of which no run has been fanned out whole and none is under way."""
    return await fetch(tx, _REANNOUNCE, silence_s=silence_s, limit=limit)


async def unverified_from_partners(tx: Tx, *, limit: int) -> Sequence[RowMapping]:
    """Return partners' drafts whose area waits for the geofence; any of them may come first."""
    return await fetch(
        tx,
        f"""SELECT {_ALL} FROM dispatcher_alert
            WHERE state = 'draft' AND origin = 'cap' AND area_digest IS NULL AND area_hold IS NULL
              AND expires_at > clock_timestamp()
            ORDER BY random() LIMIT :limit""",
        limit=limit,
    )
