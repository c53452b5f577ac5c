"""The statements for what time moves: unknown outcomes, ended leases, what is due or lost."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.dispatcher.delivery.states import Claimed, Found, Request
from services.dispatcher.delivery.store import columns, keep_evidence, requests, statement
from shared.db.session import Tx, execute, fetch, fetch_value

_TAKE_UNKNOWN = """
WITH due AS MATERIALIZED (
    SELECT d.delivery_id FROM dispatcher_delivery AS d
    WHERE d.due_at <= clock_timestamp() AND d.state = 'unknown' AND d.channel = :channel
    ORDER BY d.due_at LIMIT :limit FOR UPDATE OF d SKIP LOCKED
), taken AS (
    UPDATE dispatcher_delivery AS d SET due_at = clock_timestamp() + interval '15 seconds'
    FROM due WHERE d.delivery_id = due.delivery_id RETURNING d.*
)
SELECT t.delivery_id, t.epoch, t.attempts, t.alert_id, t.version, t.channel, t.priority,
       t.language, t.address_hash, t.hash_key_id, t.created_at, b.kind, b.severity, b.reference,
       b.opened_at, b.expires_at, n.template, n.values_sealed,
       COALESCE(n.address_sealed, c.address_sealed) AS address_sealed,
       COALESCE(a.started_at, t.created_at) AS started_at,
       CAST(EXTRACT(epoch FROM b.expires_at - clock_timestamp()) AS float8) AS seconds_left
FROM taken AS t
JOIN dispatcher_broadcast AS b USING (alert_id, version)
LEFT JOIN dispatcher_attempt AS a ON a.delivery_id = t.delivery_id AND a.epoch = t.epoch
LEFT JOIN dispatcher_notice AS n ON b.kind = 'notice' AND n.notice_id = t.alert_id
LEFT JOIN LATERAL (
    SELECT c.address_sealed FROM dispatcher_contact AS c
    WHERE c.channel = t.channel AND c.address_hash = t.address_hash LIMIT 1
) AS c ON b.kind <> 'notice'
"""

# One message of the provider's list answers for one delivery only.
_ADOPT = statement("""
WITH given AS MATERIALIZED ({given}), tried AS (
    UPDATE dispatcher_attempt AS a SET sid = g.sid, provider = g.provider, outcome = 'looked_up'
    FROM given AS g WHERE a.delivery_id = g.delivery_id AND a.epoch = g.epoch
)
UPDATE dispatcher_delivery AS d SET state = g.state, rank = g.rank, provider = g.provider,
    sid = g.sid, due_at = NULL, lease_until = NULL, reason = NULL,
    handed_over_at = COALESCE(d.handed_over_at, a.started_at, clock_timestamp())
FROM given AS g LEFT JOIN dispatcher_attempt AS a
    ON a.delivery_id = g.delivery_id AND a.epoch = g.epoch
WHERE d.delivery_id = g.delivery_id AND d.epoch = g.epoch
  AND d.state IN ('unknown', 'retry_wait') AND d.rank < g.rank
  AND NOT EXISTS (SELECT FROM dispatcher_delivery AS o
                  WHERE o.sid = g.sid AND o.delivery_id <> g.delivery_id)
""")

_GIVE_UP = statement("""
WITH given AS MATERIALIZED (
    SELECT g.* FROM unnest(CAST(:ids AS uuid[]), CAST(:epochs AS int[])) AS g(delivery_id, epoch)
), tried AS (
    UPDATE dispatcher_attempt AS a SET outcome = 'ambiguous',
        ended_at = COALESCE(a.ended_at, clock_timestamp())
    FROM given AS g WHERE a.delivery_id = g.delivery_id AND a.epoch = g.epoch
), judged AS MATERIALIZED (
    SELECT g.delivery_id, g.epoch,
           CASE WHEN b.state = 'stopped' THEN 'cancelled'
                WHEN b.state = 'ended' OR b.expires_at <= clock_timestamp() THEN 'expired'
                WHEN d.attempts >= {max_attempts} THEN 'failed' ELSE 'retry_wait' END AS target
    FROM given AS g JOIN dispatcher_delivery AS d USING (delivery_id)
    JOIN dispatcher_broadcast AS b USING (alert_id, version)
    ORDER BY g.delivery_id FOR UPDATE OF d
)
UPDATE dispatcher_delivery AS d SET state = j.target, lease_until = NULL,
    rank = CASE j.target WHEN 'retry_wait' THEN 0 ELSE 3 END,
    due_at = CASE j.target WHEN 'retry_wait' THEN clock_timestamp()
        + random() * LEAST(60, power(2, GREATEST(d.attempts - 1, 0))) * interval '1 second' END,
    reason = CASE j.target WHEN 'retry_wait' THEN 'ambiguous' WHEN 'failed' THEN 'attempts_used'
        WHEN 'cancelled' THEN 'stopped' ELSE 'expired' END,
    settled_at = CASE j.target WHEN 'retry_wait' THEN NULL ELSE clock_timestamp() END
FROM judged AS j WHERE d.delivery_id = j.delivery_id AND d.epoch = j.epoch AND d.state = 'unknown'
""")


# The holds: time for a callback or the provider's own list to say what happened.
_END_LEASES = """
WITH ended AS MATERIALIZED (
    SELECT d.delivery_id, CASE WHEN d.channel = 'email' THEN 60
                               WHEN d.priority IN ('urgent', 'notice') THEN 5 ELSE 20 END AS hold_s
    FROM dispatcher_delivery AS d
    WHERE d.state = 'sending' AND d.lease_until < clock_timestamp()
    ORDER BY d.lease_until LIMIT :limit FOR UPDATE OF d SKIP LOCKED
), moved AS (
    UPDATE dispatcher_delivery AS d SET state = 'unknown', lease_until = NULL,
        attempts = d.attempts + 1, reason = 'lease_ended',
        due_at = clock_timestamp() + make_interval(secs => e.hold_s)
    FROM ended AS e WHERE d.delivery_id = e.delivery_id
    RETURNING d.delivery_id, d.epoch
)
UPDATE dispatcher_attempt AS a SET ended_at = clock_timestamp(), outcome = 'lease_ended'
FROM moved AS m
WHERE a.delivery_id = m.delivery_id AND a.epoch = m.epoch AND a.outcome IS NULL
"""

# due_at empties here, so a claim finds the row due; if the record is lost the sweeper finds it.
_TAKE_DUE = """
WITH due AS MATERIALIZED (
    SELECT d.delivery_id FROM dispatcher_delivery AS d
    WHERE d.due_at <= clock_timestamp() AND d.state IN ('retry_wait', 'pending')
    ORDER BY d.due_at LIMIT :limit FOR UPDATE OF d SKIP LOCKED
)
UPDATE dispatcher_delivery AS d SET due_at = NULL, published_at = clock_timestamp()
FROM due WHERE d.delivery_id = due.delivery_id
RETURNING d.delivery_id, d.channel, d.priority, d.address_hash
"""

_PUT_BACK = """
WITH back AS MATERIALIZED (
    SELECT d.delivery_id FROM dispatcher_delivery AS d
    WHERE d.delivery_id = ANY(CAST(:ids AS uuid[]))
      AND d.state IN ('retry_wait', 'pending') AND d.due_at IS NULL
    ORDER BY d.delivery_id FOR UPDATE OF d SKIP LOCKED
)
UPDATE dispatcher_delivery AS d SET due_at = clock_timestamp() + make_interval(secs => :wait_s)
FROM back WHERE d.delivery_id = back.delivery_id
"""

# A row swept in vain waits twice as long for the next time, up to an hour.
_SWEEP = """
WITH lost AS MATERIALIZED (
    SELECT d.delivery_id FROM dispatcher_delivery AS d
    JOIN dispatcher_broadcast AS b USING (alert_id, version)
    JOIN dispatcher_chunk AS c USING (chunk_id)
    WHERE d.state IN ('pending', 'retry_wait') AND d.due_at IS NULL
      AND d.channel = :channel AND d.priority = :priority
      AND d.published_at < CAST(:before AS timestamptz) - make_interval(secs => :grace_s)
      AND c.published_at < CAST(:before AS timestamptz) - make_interval(secs => :grace_s)
      AND d.published_at < clock_timestamp()
          - make_interval(secs => LEAST(3600, :grace_s * power(2, d.swept)))
      AND b.state = 'live'
    ORDER BY d.published_at LIMIT :limit FOR UPDATE OF d SKIP LOCKED
)
UPDATE dispatcher_delivery AS d SET published_at = clock_timestamp(),
    swept = LEAST(d.swept + 1, 20)
FROM lost WHERE d.delivery_id = lost.delivery_id
RETURNING d.delivery_id, d.channel, d.priority, d.address_hash
"""

_ANY_WAITING = """
SELECT d.channel, d.priority FROM unnest(CAST(:channels AS text[])) AS c(channel),
     unnest(CAST(:priorities AS text[])) AS p(priority),
     LATERAL (SELECT d.channel, d.priority FROM dispatcher_delivery AS d
              WHERE d.state IN ('pending', 'retry_wait') AND d.due_at IS NULL
                AND d.channel = c.channel AND d.priority = p.priority
                AND d.published_at < clock_timestamp() - make_interval(secs => :grace_s)
              LIMIT 1) AS d
"""


async def take_unknown(tx: Tx, channel: str, limit: int) -> list[Claimed]:
    """Take unknown deliveries whose hold is over, for 15 s, to be looked up at their provider."""
    rows = await fetch(tx, _TAKE_UNKNOWN, channel=channel, limit=limit)
    taken = [Claimed(**row) for row in rows]
    # Whose address is gone cannot be looked up; the next claim closes it with its reason.
    await give_up(tx, [(one.delivery_id, one.epoch) for one in taken if not one.address_sealed])
    return [one for one in taken if one.address_sealed]


async def adopt(tx: Tx, found: Sequence[Found]) -> int:
    """Bind unknown deliveries to the provider's own records of them."""
    adopted = await execute(tx, _ADOPT, **columns(found)) if found else 0
    if adopted < len(found):
        await keep_evidence(tx, found)
    return adopted


async def give_up(tx: Tx, taken: Sequence[tuple[UUID, int]]) -> int:
    """Let unknown deliveries (id and epoch) that no look-up found be sent again, or close them."""
    if not taken:
        return 0
    ids, epochs = [one for one, _ in taken], [epoch for _, epoch in taken]
    return await execute(tx, _GIVE_UP, ids=ids, epochs=epochs)


async def end_leases(tx: Tx, *, limit: int) -> int:
    """Mark claimed deliveries whose process let the lease end as unknown, and hold them."""
    return await execute(tx, _END_LEASES, limit=limit)


async def take_due(tx: Tx, *, limit: int) -> list[Request]:
    """Take deliveries whose time has come, to be asked for again after the commit."""
    return requests(await fetch(tx, _TAKE_DUE, limit=limit))


async def waiting_lanes(
    tx: Tx, *, channels: Sequence[str], priorities: Sequence[str], grace_s: float
) -> list[tuple[str, str]]:
    """Return the channels and priorities in which anything has waited longer than the grace."""
    rows = await fetch(
        tx,
        _ANY_WAITING,
        channels=list(channels),
        priorities=list(priorities),
        grace_s=float(grace_s),
    )
    return [(row["channel"], row["priority"]) for row in rows]


async def database_time(tx: Tx) -> datetime:
    """Return the database's own time, which rows and watermarks are compared by."""
    moment: datetime = await fetch_value(tx, "SELECT clock_timestamp()")
    return moment


async def sweep(
    tx: Tx, *, channel: str, priority: str, before: datetime, grace_s: float, limit: int
) -> list[Request]:
    """Take waiting deliveries that were asked for before the moment and that nobody will read."""
    rows = await fetch(
        tx,
        _SWEEP,
        channel=channel,
        priority=priority,
        before=before,
        grace_s=float(grace_s),
        limit=limit,
    )
    return requests(rows)


async def put_back(tx: Tx, deliveries: Sequence[UUID], *, wait_s: float) -> int:
    """Let deliveries that were taken and could not be asked for come due again."""
    return await execute(tx, _PUT_BACK, ids=list(deliveries), wait_s=wait_s)
