"""The statements for what is judged again: changed cards, exclusions, deliveries closed early."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.delivery.states import Request
from services.dispatcher.recipients.cast import Cast
from services.dispatcher.recipients.store import requests
from shared.db.session import Tx, execute, fetch

# Cards that changed while a chunk was fanned out are found within five minutes; no transaction
# lives longer than one (the engine's limit), so none slips through between two looks.
_CHANGED = """
SELECT m.alert_id, m.version, m.subscriber_id
FROM dispatcher_broadcast AS b, dispatcher_card AS card, dispatcher_member AS m
WHERE b.kind = 'alert' AND b.state IN ('live', 'held') AND b.expires_at > clock_timestamp()
  AND {which}
  AND m.alert_id = b.alert_id AND m.version = b.version
  AND m.subscriber_id = card.subscriber_id
  AND (m.card_version IS NULL OR m.card_version < card.version)
LIMIT :limit
"""
_OF_RECENT = _CHANGED.replace(
    "{which}",
    """(CAST(:recent_s AS float8) IS NULL
       OR card.changed_at > clock_timestamp() - make_interval(secs => :recent_s))""",
)
_OF_THESE = _CHANGED.replace("{which}", "card.subscriber_id = ANY(CAST(:ids AS uuid[]))")

# The version is read before the join with the card: at worst the same card is looked at twice.
_LOCK_MEMBERS = """
SELECT m.subscriber_id, card.version FROM dispatcher_member AS m
JOIN dispatcher_card AS card USING (subscriber_id)
WHERE m.alert_id = :alert_id AND m.version = :version
  AND m.subscriber_id = ANY(CAST(:ids AS uuid[]))
ORDER BY m.subscriber_id FOR UPDATE OF m
"""

_FORGET_EXCLUSIONS = """
DELETE FROM dispatcher_exclusion
WHERE alert_id = :alert_id AND version = :version
  AND subscriber_id = ANY(CAST(:ids AS uuid[]))
"""

# Whoever has got it is not excluded, whatever the card says since.
_FORGIVE = """
DELETE FROM dispatcher_exclusion AS x
WHERE x.alert_id = :alert_id AND x.version = :version AND x.channel = ''
  AND x.subscriber_id = ANY(CAST(:ids AS uuid[])) AND EXISTS (
      SELECT FROM dispatcher_delivery_member AS l
      JOIN dispatcher_delivery AS d USING (delivery_id)
      WHERE l.subscriber_id = x.subscriber_id AND d.alert_id = x.alert_id
        AND d.version = x.version)
"""

_SEEN = """
UPDATE dispatcher_member AS m SET card_version = seen.version
FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[])) AS seen(id, version)
WHERE m.alert_id = :alert_id AND m.version = :version AND m.subscriber_id = seen.id
"""

# A delivery closed at its claim, and never handed over, opens again for whoever may have it now,
# with its whole time before it. A statement after the fan-out's own: it sees what was closed
# meanwhile, and no chunk waits for another's new rows while it holds closed ones. After an attempt
# it waits as for a retry, because that attempt's news may still come.
_REOPEN = """
WITH shut AS MATERIALIZED (
    SELECT d.delivery_id, g.language
    FROM unnest(CAST(:ids AS uuid[]), CAST(:languages AS text[])) AS g(delivery_id, language)
    JOIN dispatcher_delivery AS d USING (delivery_id)
    WHERE d.state = 'suppressed' AND d.handed_over_at IS NULL
    ORDER BY d.delivery_id FOR UPDATE OF d
)
UPDATE dispatcher_delivery AS d SET
    state = CASE d.epoch WHEN 0 THEN 'pending' ELSE 'retry_wait' END, rank = 0, reason = NULL,
    code = NULL, settled_at = NULL, due_at = NULL, swept = 0, language = shut.language,
    chunk_id = :chunk_id, created_at = clock_timestamp(), published_at = clock_timestamp()
FROM shut WHERE d.delivery_id = shut.delivery_id
RETURNING d.delivery_id, d.channel, d.address_hash
"""


async def changed_members(
    tx: Tx, *, subscribers: Sequence[UUID] | None, recent_s: float | None, limit: int
) -> Sequence[RowMapping]:
    """Return members of live broadcasts fanned out with an older card: of these, or recently."""
    if subscribers is None:
        return await fetch(tx, _OF_RECENT, recent_s=recent_s, limit=limit)
    return await fetch(tx, _OF_THESE, ids=list(subscribers), limit=limit)


async def lock_members(tx: Tx, *, cast: Cast, subscribers: Sequence[UUID]) -> dict[UUID, int]:
    """Lock members and return the version of each one's card."""
    rows = await fetch(
        tx, _LOCK_MEMBERS, alert_id=cast.alert_id, version=cast.version, ids=list(subscribers)
    )
    return {row["subscriber_id"]: row["version"] for row in rows}


async def forget_exclusions(tx: Tx, *, cast: Cast, subscribers: Sequence[UUID]) -> None:
    """Forget why members were not reached, before it is judged again."""
    ids = list(subscribers)
    await execute(tx, _FORGET_EXCLUSIONS, alert_id=cast.alert_id, version=cast.version, ids=ids)


async def forgive_reached(tx: Tx, *, cast: Cast, subscribers: Sequence[UUID]) -> None:
    """Take back exclusions of members who have a delivery."""
    ids = list(subscribers)
    await execute(tx, _FORGIVE, alert_id=cast.alert_id, version=cast.version, ids=ids)


async def mark_seen(tx: Tx, *, cast: Cast, versions: Mapping[UUID, int]) -> None:
    """Write which version of each member's card has been fanned out."""
    await execute(
        tx,
        _SEEN,
        alert_id=cast.alert_id,
        version=cast.version,
        ids=list(versions),
        versions=list(versions.values()),
    )


async def reopen(
    tx: Tx, *, cast: Cast, chunk_id: UUID, deliveries: Mapping[UUID, str]
) -> list[Request]:
    """Open closed deliveries (with a language each) that were never handed over."""
    if not deliveries:
        return []
    rows = await fetch(
        tx,
        _REOPEN,
        chunk_id=chunk_id,
        ids=list(deliveries),
        languages=list(deliveries.values()),
    )
    return requests(rows, priority=cast.priority)
