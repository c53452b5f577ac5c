"""The statements that make recipients: members, exclusions, links and new deliveries.

A delivery is born here, in the statement that joins members with cards; from then on it is the
delivery room's. Every insert goes in the order of its key: two chunks with shared numbers in
another order deadlock.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from services.dispatcher.delivery.states import Request
from services.dispatcher.recipients.cast import Cast
from shared.db.session import Tx, execute, fetch, fetch_one

# By the door first, so that a cancel has its turn (see the claim of the delivery room).
_CAST = """
WITH door AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(
    hashtextextended(CAST(CAST(:alert_id AS uuid) AS text), :version)))
SELECT alert_id, version, kind, state, priority, severity, category, emergency, channels,
       area_digest, state IN ('live', 'held') AND expires_at > clock_timestamp() AS live,
       ARRAY(SELECT jsonb_object_keys(texts)) AS languages
FROM dispatcher_broadcast WHERE alert_id = :alert_id AND version = :version
  AND (SELECT count(*) FROM door) = 1
FOR SHARE
"""

_NEWEST = """
SELECT version FROM dispatcher_broadcast
WHERE alert_id = :alert_id AND kind = 'alert' AND state IN ('live', 'held')
  AND expires_at > clock_timestamp()
ORDER BY version DESC LIMIT 1
"""

_ADD_CHUNK = """
INSERT INTO dispatcher_chunk (chunk_id, alert_id, version, run_id, n, origin, members, deliveries)
VALUES (:chunk_id, :alert_id, :version, :run_id, :n, :origin, 0, 0)
ON CONFLICT DO NOTHING
"""

_COUNT_CHUNK = """
UPDATE dispatcher_chunk SET members = :members, deliveries = :deliveries,
    published_at = CASE WHEN :deliveries = 0 THEN clock_timestamp() END
WHERE chunk_id = :chunk_id
"""

_ADD_MEMBERS = """
INSERT INTO dispatcher_member (alert_id, version, subscriber_id, reason, card_version, late)
SELECT :alert_id, :version, given.id, given.reason, card.version, :late
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS given(id, reason)
LEFT JOIN dispatcher_card AS card ON card.subscriber_id = given.id
ORDER BY given.id
ON CONFLICT DO NOTHING
RETURNING subscriber_id, card_version
"""

_LANGUAGES = """
SELECT DISTINCT language FROM dispatcher_card
WHERE subscriber_id = ANY(CAST(:ids AS uuid[])) AND language IS NOT NULL
"""

_FAN_OUT = """
WITH wish AS MATERIALIZED (
    SELECT card.subscriber_id,
           COALESCE(CAST(:languages AS jsonb) ->> card.language, :default_language) AS language,
           CASE WHEN card.erased THEN 'left'
                WHEN :unfiltered THEN NULL
                WHEN cardinality(card.categories) > 0
                     AND NOT CAST(:category AS text) = ANY(card.categories) THEN 'category'
                WHEN CAST(:severity AS text) <> 'Unknown'
                     AND array_position(CAST(:scale AS text[]), card.severity_floor)
                         > array_position(CAST(:scale AS text[]), :severity) THEN 'severity'
                END AS reason
    FROM dispatcher_card AS card WHERE card.subscriber_id = ANY(CAST(:ids AS uuid[]))
), point AS MATERIALIZED (
    SELECT wish.subscriber_id, wish.language, c.channel, c.address_hash, c.hash_key_id,
           CASE WHEN NOT c.channel = ANY(CAST(:channels AS text[])) THEN 'channel_not_used'
                WHEN c.basis = 'statutory' AND NOT (:emergency AND c.channel = 'voice')
                     THEN 'statutory_non_emergency'
                ELSE s.reason END AS reason
    FROM wish
    JOIN dispatcher_contact AS c ON c.subscriber_id = wish.subscriber_id
    LEFT JOIN dispatcher_suppression AS s ON s.channel = c.channel
        AND s.address_hash = c.address_hash AND s.lifted_at IS NULL
    WHERE wish.reason IS NULL
), good AS MATERIALIZED (
    SELECT point.*, dispatcher_delivery_id(:alert_id, :version, channel, address_hash)
        AS delivery_id
    FROM point WHERE reason IS NULL
), wanted AS MATERIALIZED (
    SELECT DISTINCT ON (delivery_id) delivery_id, channel, address_hash, hash_key_id, language
    FROM good ORDER BY delivery_id, subscriber_id
), made AS (
    INSERT INTO dispatcher_delivery (delivery_id, alert_id, version, channel, address_hash,
        hash_key_id, priority, language, chunk_id)
    SELECT delivery_id, :alert_id, :version, channel, address_hash, hash_key_id, :priority,
           language, :chunk_id
    FROM wanted ORDER BY delivery_id
    ON CONFLICT DO NOTHING
    RETURNING delivery_id
), linked AS (
    INSERT INTO dispatcher_delivery_member (delivery_id, subscriber_id)
    SELECT DISTINCT delivery_id, subscriber_id FROM good ORDER BY 1, 2
    ON CONFLICT DO NOTHING
), excluded AS (
    INSERT INTO dispatcher_exclusion (alert_id, version, subscriber_id, channel, reason)
    SELECT CAST(:alert_id AS uuid), CAST(:version AS int), x.subscriber_id, x.channel, x.reason
    FROM (
        SELECT subscriber_id, '' AS channel, reason FROM wish WHERE reason IS NOT NULL
        UNION ALL
        SELECT p.subscriber_id, p.channel, min(p.reason) FROM point AS p
        GROUP BY p.subscriber_id, p.channel HAVING count(*) = count(p.reason)
        UNION ALL
        SELECT w.subscriber_id, '', COALESCE(min(p.reason), 'no_contact')
        FROM wish AS w LEFT JOIN point AS p USING (subscriber_id)
        WHERE w.reason IS NULL
        GROUP BY w.subscriber_id HAVING count(p.subscriber_id) = count(p.reason)
    ) AS x ORDER BY 3, 4
    ON CONFLICT DO NOTHING
)
SELECT delivery_id, channel, address_hash, language,
       delivery_id IN (SELECT m.delivery_id FROM made AS m) AS new
FROM wanted
"""

_SCALE = ["Unknown", "Minor", "Moderate", "Severe", "Extreme"]


async def hold_cast(tx: Tx, alert_id: UUID, version: int) -> Cast | None:
    """Return a broadcast, held against stopping until the transaction ends."""
    row = await fetch_one(tx, _CAST, alert_id=alert_id, version=version)
    return Cast(**row) if row is not None else None


async def newest_version(tx: Tx, alert_id: UUID) -> int | None:
    """Return the newest live version of an alert."""
    row = await fetch_one(tx, _NEWEST, alert_id=alert_id)
    return None if row is None else int(row["version"])


async def add_chunk(
    tx: Tx, chunk_id: UUID, *, cast: Cast, run_id: UUID, n: int, origin: str
) -> bool:
    """Write a chunk's row; False if it is there already."""
    return bool(
        await execute(
            tx,
            _ADD_CHUNK,
            chunk_id=chunk_id,
            alert_id=cast.alert_id,
            version=cast.version,
            run_id=run_id,
            n=n,
            origin=origin,
        )
    )


async def count_chunk(tx: Tx, chunk_id: UUID, *, members: int, deliveries: int) -> None:
    """Write what a chunk held; one without deliveries has nothing to be asked for."""
    await execute(tx, _COUNT_CHUNK, chunk_id=chunk_id, members=members, deliveries=deliveries)


async def add_members(
    tx: Tx, *, cast: Cast, members: Mapping[UUID, str], late: bool
) -> Sequence[RowMapping]:
    """Write the members that are new; return each with the version of its card, if it has come."""
    return await fetch(
        tx,
        _ADD_MEMBERS,
        alert_id=cast.alert_id,
        version=cast.version,
        ids=list(members),
        reasons=list(members.values()),
        late=late,
    )


async def languages_of(tx: Tx, subscribers: Sequence[UUID]) -> list[str]:
    """Return the languages these residents ask for."""
    rows = await fetch(tx, _LANGUAGES, ids=list(subscribers))
    return [row["language"] for row in rows]


async def join_cards(
    tx: Tx, *, cast: Cast, chunk_id: UUID, subscribers: Sequence[UUID], languages: dict[str, str]
) -> tuple[list[Request], dict[UUID, str]]:
    """Make deliveries, links and exclusions of members and their cards.

    Returns what is new; and what was there before, with the language it is wanted in now.
    """
    rows = await fetch(
        tx,
        _FAN_OUT,
        alert_id=cast.alert_id,
        version=cast.version,
        chunk_id=chunk_id,
        ids=list(subscribers),
        languages=orjson.dumps(languages).decode(),
        default_language=cast.languages[0],
        unfiltered=cast.unfiltered,
        category=cast.category,
        severity=cast.severity,
        scale=_SCALE,
        channels=list(cast.channels),
        emergency=cast.emergency,
        priority=cast.priority,
    )
    made = requests([row for row in rows if row["new"]], priority=cast.priority)
    return made, {row["delivery_id"]: row["language"] for row in rows if not row["new"]}


def requests(rows: Iterable[RowMapping], *, priority: Any) -> list[Request]:
    """Return rows of id, channel and hash as requests of a broadcast's priority."""
    return [
        Request(row["delivery_id"], row["channel"], priority, row["address_hash"]) for row in rows
    ]
