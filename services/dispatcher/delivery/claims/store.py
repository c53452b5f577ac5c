"""The statements that take deliveries for one process to send."""

from collections.abc import Sequence
from uuid import UUID

from services.dispatcher.delivery.states import LEASE_S, MAX_ATTEMPTS, Claimed
from services.dispatcher.providers.base import CALL_LISTED_WITHIN_S, CLOCK_SLACK_S
from shared.db.session import Tx, execute, fetch

# Two claims of calls to one number must not both find the line free. A statement of its own: one
# that had waited would still look at what it saw before.
_LOCK_LINES = """
SELECT pg_advisory_xact_lock(hashtextextended(l.line, 0)) FROM (
    SELECT DISTINCT encode(address_hash, 'hex') AS line FROM dispatcher_delivery
    WHERE delivery_id = ANY(CAST(:ids AS uuid[])) AND channel = 'voice' ORDER BY line) AS l
"""

# A call carries no text: those the provider lists are told apart by number and time alone. So
# after a call of which nobody knows what became, no other alert's is made to its number for as
# long as it may still be listed (the look-up's window, and a slack more because dates are whole
# seconds), also where a look-up has found nothing meanwhile.
_ALONE_S = CALL_LISTED_WITHIN_S + 3 * CLOCK_SLACK_S
_LINE_TAKEN = """(
    row_number() OVER (PARTITION BY l.address_hash ORDER BY l.created_at, l.delivery_id) > 1
    OR EXISTS (
        SELECT FROM dispatcher_delivery AS o
        JOIN dispatcher_attempt AS a ON a.delivery_id = o.delivery_id
        WHERE o.channel = 'voice' AND o.address_hash = l.address_hash
          AND o.priority <> 'exercise' AND o.delivery_id <> l.delivery_id
          AND o.created_at > clock_timestamp() - interval '2 days'
          AND a.started_at > clock_timestamp() - interval '{alone_s} seconds'
          AND (o.state IN ('sending', 'unknown') AND a.epoch = o.epoch
               OR a.sid IS NULL AND a.outcome IN ('ambiguous', 'lease_ended'))))"""

# The broadcast is held FOR SHARE: a cancel waits for claims under way, and none begins after it.
# Its door comes first, because those who wait at a door are let in by turns: holders of row locks
# who come and go beside each other would keep a cancel out for as long as the sending lasts.
_CLAIM = (
    """
WITH wanted AS MATERIALIZED (
    SELECT d.delivery_id, d.alert_id, d.version, d.priority FROM dispatcher_delivery AS d
    WHERE d.delivery_id = ANY(CAST(:ids AS uuid[])) AND d.state IN ('pending', 'retry_wait')
      AND (d.due_at IS NULL OR d.due_at <= clock_timestamp())
), door AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(hashtextextended(CAST(w.alert_id AS text), w.version))
    FROM (SELECT DISTINCT alert_id, version FROM wanted WHERE priority <> 'notice'
          ORDER BY alert_id, version) AS w
), cast_of AS MATERIALIZED (
    SELECT b.* FROM dispatcher_broadcast AS b
    WHERE (b.alert_id, b.version) IN (SELECT w.alert_id, w.version FROM wanted AS w)
      AND (SELECT count(*) FROM door) >= 0
    ORDER BY b.alert_id, b.version FOR SHARE OF b
), locked AS MATERIALIZED (
    SELECT d.* FROM dispatcher_delivery AS d
    WHERE d.delivery_id IN (SELECT w.delivery_id FROM wanted AS w)
      AND d.state IN ('pending', 'retry_wait')
      AND (d.due_at IS NULL OR d.due_at <= clock_timestamp())
    ORDER BY d.delivery_id FOR UPDATE OF d SKIP LOCKED
), checked AS MATERIALIZED (
    SELECT l.delivery_id, b.kind, b.severity, b.reference, b.opened_at, b.expires_at,
           n.template, n.values_sealed, COALESCE(n.address_sealed, c.address_sealed) AS address,
           CASE WHEN b.state = 'stopped' THEN 'cancelled'
                WHEN b.state = 'ended' OR b.expires_at <= clock_timestamp() THEN 'expired'
                WHEN b.state = 'held' THEN NULL
                WHEN b.kind <> 'notice' AND s.channel IS NOT NULL THEN 'suppressed'
                WHEN COALESCE(n.address_sealed, c.address_sealed) IS NULL THEN 'suppressed'
                WHEN l.attempts >= {max_attempts} THEN 'failed'
                WHEN l.channel = 'voice' AND l.priority <> 'exercise' AND {line_taken}
                     THEN 'line_taken'
                ELSE 'sending' END AS verdict,
           CASE WHEN b.state = 'stopped' THEN 'stopped'
                WHEN b.state = 'ended' OR b.expires_at <= clock_timestamp() THEN 'expired'
                WHEN b.kind <> 'notice' AND s.channel IS NOT NULL THEN s.reason
                WHEN COALESCE(n.address_sealed, c.address_sealed) IS NULL THEN 'contact_gone'
                WHEN l.attempts >= {max_attempts} THEN 'attempts_used' END AS reason
    FROM locked AS l
    JOIN cast_of AS b USING (alert_id, version)
    LEFT JOIN dispatcher_notice AS n ON b.kind = 'notice' AND n.notice_id = l.alert_id
    LEFT JOIN dispatcher_suppression AS s ON s.channel = l.channel
        AND s.address_hash = l.address_hash AND s.lifted_at IS NULL
    LEFT JOIN LATERAL (
        SELECT c.address_sealed FROM dispatcher_delivery_member AS m
        JOIN dispatcher_contact AS c ON c.subscriber_id = m.subscriber_id
            AND c.channel = l.channel AND c.address_hash = l.address_hash
        WHERE m.delivery_id = l.delivery_id
          AND (c.basis = 'verified' OR (b.emergency AND l.channel = 'voice'))
        LIMIT 1
    ) AS c ON b.kind <> 'notice'
), moved AS (
    UPDATE dispatcher_delivery AS d SET
        state = k.verdict,
        rank = CASE k.verdict WHEN 'sending' THEN 0 ELSE 3 END,
        epoch = d.epoch + CASE k.verdict WHEN 'sending' THEN 1 ELSE 0 END,
        lease_until = CASE k.verdict
            WHEN 'sending' THEN clock_timestamp() + interval '{lease_s} seconds' END,
        due_at = NULL, swept = 0, reason = k.reason,
        settled_at = CASE k.verdict WHEN 'sending' THEN NULL ELSE clock_timestamp() END
    FROM checked AS k WHERE d.delivery_id = k.delivery_id AND k.verdict <> 'line_taken'
    RETURNING d.*
), postponed AS (
    UPDATE dispatcher_delivery AS d SET due_at = clock_timestamp() + interval '1 second'
    FROM checked AS k WHERE d.delivery_id = k.delivery_id AND k.verdict = 'line_taken'
), tried AS (
    INSERT INTO dispatcher_attempt (delivery_id, epoch, provider)
    SELECT m.delivery_id, m.epoch, :provider FROM moved AS m WHERE m.state = 'sending'
)
SELECT m.delivery_id, m.epoch, m.attempts, m.alert_id, m.version, m.channel, m.priority,
       m.language, m.address_hash, m.hash_key_id, m.created_at, k.kind, k.severity, k.reference,
       k.opened_at, k.expires_at, k.template, k.values_sealed, k.address AS address_sealed,
       clock_timestamp() AS started_at,
       CAST(EXTRACT(epoch FROM k.expires_at - clock_timestamp()) AS float8) AS seconds_left
FROM moved AS m JOIN checked AS k USING (delivery_id)
WHERE m.state = 'sending'
""".replace("{line_taken}", _LINE_TAKEN)
    .replace("{alone_s}", str(_ALONE_S))
    .replace("{max_attempts}", str(MAX_ATTEMPTS))
    .replace("{lease_s}", str(LEASE_S))
)


async def lock_lines(tx: Tx, ids: Sequence[UUID]) -> None:
    """Wait until no other transaction is claiming calls to the numbers of these deliveries."""
    await execute(tx, _LOCK_LINES, ids=list(ids))


async def claim(tx: Tx, ids: Sequence[UUID], *, provider: str) -> list[Claimed]:
    """Take these deliveries for sending; close those that must not be sent, with the reason."""
    rows = await fetch(tx, _CLAIM, ids=list(ids), provider=provider)
    return [Claimed(**row) for row in rows]
