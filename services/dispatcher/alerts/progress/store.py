"""Every statement that moves approved alerts by what the rooms below have done for them."""

from shared.db.session import Tx, execute

# What is held waits for a person: it goes nowhere, least of all to `sent`.
_HELD = """EXISTS (
  SELECT 1 FROM dispatcher_broadcast AS b
  WHERE b.alert_id = a.alert_id AND b.version = a.version AND b.state = 'held')"""


async def see_resolved(tx: Tx) -> int:
    """Mark alerts of which one completed run has been fanned out whole."""
    return await execute(
        tx,
        """UPDATE dispatcher_alert AS a SET resolved_at = r.at
           FROM (SELECT alert_id, version, min(fanned_out_at) AS at FROM dispatcher_run
                 WHERE fanned_out_at IS NOT NULL GROUP BY alert_id, version) AS r
           WHERE a.alert_id = r.alert_id AND a.version = r.version AND a.resolved_at IS NULL
             AND a.state IN ('approved', 'dispatching', 'sent', 'cancelling')""",
    )


async def see_dispatching(tx: Tx) -> int:
    """Move approved alerts of which a first chunk has been fanned out.

    Also one that was held after it: part of it may have been sent.
    """
    return await execute(
        tx,
        f"""UPDATE dispatcher_alert AS a SET state = 'dispatching', dispatching_at = c.at
           FROM (SELECT l.alert_id, (SELECT min(created_at) FROM dispatcher_chunk AS k
                   WHERE k.alert_id = l.alert_id AND k.version = l.version) AS at
                 FROM dispatcher_alert AS l WHERE l.state = 'approved') AS c
           WHERE a.alert_id = c.alert_id AND a.state = 'approved'
             AND (c.at IS NOT NULL OR a.resolved_at IS NOT NULL AND NOT {_HELD})""",
    )


# In two steps: while anything is open its small index says so, and the rows are not read.
_UNDER_WAY = """CASE WHEN EXISTS (
  SELECT 1 FROM dispatcher_delivery AS d WHERE d.alert_id = a.alert_id AND d.version = a.version
    AND d.state IN ('pending', 'retry_wait', 'held')) THEN true
  ELSE EXISTS (
  SELECT 1 FROM dispatcher_delivery AS d WHERE d.alert_id = a.alert_id AND d.version = a.version
    AND d.state IN ('sending', 'unknown')) END"""


async def see_sent(tx: Tx) -> int:
    """Move alerts whose every delivery is at its end or handed over.

    One without any is not sent, unless it was approved for nobody yet.
    """
    return await execute(
        tx,
        f"""UPDATE dispatcher_alert AS a SET state = 'sent', sent_at = clock_timestamp()
            WHERE a.state = 'dispatching' AND NOT {_UNDER_WAY} AND NOT {_HELD}
              AND (a.resolved_at IS NOT NULL OR a.expires_at <= clock_timestamp())
              AND (a.nobody_yet OR EXISTS (
                SELECT 1 FROM dispatcher_delivery AS d
                WHERE d.alert_id = a.alert_id AND d.version = a.version))""",
    )


async def see_completed(tx: Tx) -> int:
    """Move alerts that are over and await no receipt, or have waited three days for it."""
    return await execute(
        tx,
        f"""UPDATE dispatcher_alert AS a SET state = 'completed'
            WHERE a.state = 'sent' AND a.expires_at <= clock_timestamp() AND a.ended_at IS NOT NULL
              AND NOT {_UNDER_WAY}
              AND (a.sent_at < clock_timestamp() - interval '72 hours' OR NOT EXISTS (
                SELECT 1 FROM dispatcher_delivery AS d
                WHERE d.alert_id = a.alert_id AND d.version = a.version
                  AND d.state IN ('accepted', 'sent')))""",
    )


async def see_cancelled(tx: Tx) -> int:
    """Move cancelled alerts of which nothing is under way any more, corrections included."""
    return await execute(
        tx,
        """UPDATE dispatcher_alert AS a SET state = 'cancelled'
           WHERE a.state = 'cancelling' AND NOT EXISTS (
             SELECT 1 FROM dispatcher_delivery AS d WHERE d.alert_id = a.alert_id
               AND d.state IN ('pending', 'held', 'sending', 'unknown', 'retry_wait'))
             AND NOT EXISTS (
               SELECT 1 FROM dispatcher_delivery AS d
               WHERE d.alert_id = a.alert_id AND d.version = a.version
                 AND d.handed_over_at IS NOT NULL AND NOT EXISTS (
                   SELECT 1 FROM dispatcher_delivery AS n
                   WHERE n.alert_id = d.alert_id AND n.version > d.version
                     AND n.channel = d.channel AND n.address_hash = d.address_hash))""",
    )
