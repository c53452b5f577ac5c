"""Every SQL statement of the contacts room: cards, contact points and suppressions."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.db.session import Tx, execute, fetch, fetch_value

# A null record carries no version: whoever it erases is one step further, so that live alerts
# look at the card again. No later version can bring the resident back.
_KEEP_CARDS = """
INSERT INTO dispatcher_card AS known
    (subscriber_id, version, erased, opted_in_at, language, categories, severity_floor)
SELECT card.subscriber_id, card.version, card.erased, card.opted_in_at, card.language,
       COALESCE(card.categories, '{}'), COALESCE(card.severity_floor, 'Unknown')
FROM jsonb_to_recordset(CAST(:cards AS jsonb)) AS card(
    subscriber_id uuid, version bigint, erased boolean, opted_in_at timestamptz, language text,
    categories text[], severity_floor text)
ORDER BY card.subscriber_id
ON CONFLICT (subscriber_id) DO UPDATE SET
    version = GREATEST(known.version + 1, excluded.version),
    erased = excluded.erased,
    opted_in_at = excluded.opted_in_at,
    language = excluded.language,
    categories = excluded.categories,
    severity_floor = excluded.severity_floor,
    changed_at = clock_timestamp()
WHERE NOT known.erased AND (excluded.erased OR excluded.version > known.version)
RETURNING subscriber_id
"""

_DROP_CONTACTS = """
DELETE FROM dispatcher_contact WHERE subscriber_id = ANY(CAST(:subscribers AS uuid[]))
"""

_ADD_CONTACTS = """
INSERT INTO dispatcher_contact
    (contact_id, subscriber_id, channel, address_sealed, address_hash, hash_key_id, basis,
     position, opted_in_at)
SELECT point.contact_id, point.subscriber_id, point.channel, point.address_sealed,
       decode(point.address_hash, 'hex'), point.hash_key_id, point.basis, point.position,
       point.opted_in_at
FROM jsonb_to_recordset(CAST(:points AS jsonb)) AS point(
    contact_id uuid, subscriber_id uuid, channel text, address_sealed text, address_hash text,
    hash_key_id text, basis text, position int, opted_in_at timestamptz)
WHERE point.subscriber_id = ANY(CAST(:subscribers AS uuid[]))
ORDER BY point.contact_id
ON CONFLICT (contact_id) DO UPDATE SET
    subscriber_id = excluded.subscriber_id,
    channel = excluded.channel,
    address_sealed = excluded.address_sealed,
    address_hash = excluded.address_hash,
    hash_key_id = excluded.hash_key_id,
    basis = excluded.basis,
    position = excluded.position,
    opted_in_at = excluded.opted_in_at
"""

# A statutory landline never opted in, so it lifts nothing.
_LIFT_BY_CARDS = """
WITH later AS (
    SELECT channel, address_hash, max(opted_in_at) AS opted_in_at
    FROM dispatcher_contact
    WHERE subscriber_id = ANY(CAST(:subscribers AS uuid[])) AND basis = 'verified'
    GROUP BY channel, address_hash
)
UPDATE dispatcher_suppression AS s SET lifted_at = clock_timestamp()
FROM later
WHERE s.channel = later.channel AND s.address_hash = later.address_hash
  AND s.lifted_at IS NULL AND later.opted_in_at > s.suppressed_at
"""

# Cards and STOPs may come in either order: a STOP older than the opt-in we know is void.
_SUPPRESS = """
INSERT INTO dispatcher_suppression AS known
    (channel, address_hash, hash_key_id, reason, suppressed_at, lifted_at)
SELECT :channel, :address_hash, :hash_key_id, :reason, CAST(:at AS timestamptz),
       CASE WHEN EXISTS (
           SELECT FROM dispatcher_contact AS c
           WHERE c.channel = :channel AND c.address_hash = :address_hash
             AND c.basis = 'verified' AND c.opted_in_at > CAST(:at AS timestamptz)
       ) THEN clock_timestamp() END
ON CONFLICT (channel, address_hash) DO UPDATE SET
    reason = excluded.reason,
    suppressed_at = excluded.suppressed_at,
    lifted_at = excluded.lifted_at
WHERE excluded.suppressed_at >= known.suppressed_at
"""

_IS_SUPPRESSED = """
SELECT EXISTS (SELECT FROM dispatcher_suppression
               WHERE channel = :channel AND address_hash = :address_hash AND lifted_at IS NULL)
"""

_LIFT = """
UPDATE dispatcher_suppression SET lifted_at = clock_timestamp()
WHERE channel = :channel AND address_hash = :address_hash
  AND lifted_at IS NULL AND suppressed_at < :at
"""


async def keep_cards(tx: Tx, cards: bytes) -> Sequence[UUID]:
    """Write newer cards (a JSON list) and return whose card was taken."""
    rows = await fetch(tx, _KEEP_CARDS, cards=cards.decode())
    return [row["subscriber_id"] for row in rows]


async def replace_contacts(tx: Tx, subscribers: Sequence[UUID], points: bytes) -> None:
    """Replace the contact points (a JSON list) of these residents."""
    ids = list(subscribers)
    await execute(tx, _DROP_CONTACTS, subscribers=ids)
    await execute(tx, _ADD_CONTACTS, subscribers=ids, points=points.decode())


async def lift_by_cards(tx: Tx, subscribers: Sequence[UUID]) -> int:
    """Lift the suppressions that a later opt-in of these residents answers."""
    return await execute(tx, _LIFT_BY_CARDS, subscribers=list(subscribers))


async def add_suppression(
    tx: Tx, *, channel: str, address_hash: bytes, hash_key_id: str, reason: str, at: datetime
) -> bool:
    """Write a suppression and say whether it stands."""
    await execute(
        tx,
        _SUPPRESS,
        channel=channel,
        address_hash=address_hash,
        hash_key_id=hash_key_id,
        reason=reason,
        at=at,
    )
    return bool(await fetch_value(tx, _IS_SUPPRESSED, channel=channel, address_hash=address_hash))


async def lift_suppression(tx: Tx, *, channel: str, address_hash: bytes, at: datetime) -> bool:
    """Lift a suppression older than the moment; say whether there was one."""
    return bool(await execute(tx, _LIFT, channel=channel, address_hash=address_hash, at=at))
