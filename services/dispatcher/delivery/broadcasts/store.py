"""The statements for broadcasts, notices and chunks: what is to be said, and what was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from services.dispatcher.delivery.states import Broadcast, Request, Texts
from services.dispatcher.delivery.store import requests
from shared.db.session import Tx, execute, fetch, fetch_one, fetch_value
from shared.identifiers import new_id

_INSERT_BROADCAST = """
INSERT INTO dispatcher_broadcast
    (alert_id, version, kind, town, priority, severity, category, emergency, channels, texts,
     reference, area_digest, nobody_yet, expires_at, corrects_version)
VALUES (:alert_id, :version, :kind, :town, :priority, :severity, :category, :emergency,
        CAST(:channels AS text[]), CAST(:texts AS jsonb), :reference, :area_digest, :nobody_yet,
        :expires_at, :corrects_version)
"""

# The door that claims and fan-out pass on their way to the row (see the claim).
_SHUT_DOOR = """
SELECT pg_advisory_xact_lock(hashtextextended(CAST(CAST(:alert_id AS uuid) AS text), :version))
"""

_LOCK_LIVE = """
SELECT 1 FROM dispatcher_broadcast
WHERE alert_id = :alert_id AND version = :version AND state IN ('live', 'held')
FOR UPDATE
"""

_STOP = """
UPDATE dispatcher_broadcast SET state = 'stopped', stopped_at = clock_timestamp(),
    reason = :reason
WHERE alert_id = :alert_id AND version = :version
"""

# A correction lives an hour at least, even where the wrong alert was about to expire.
_CORRECT = """
INSERT INTO dispatcher_broadcast
    (alert_id, version, kind, town, priority, severity, category, emergency, channels, texts,
     reference, area_digest, expires_at, corrects_version)
SELECT b.alert_id,
       (SELECT max(o.version) FROM dispatcher_broadcast AS o WHERE o.alert_id = b.alert_id) + 1,
       'correction', b.town, b.priority, b.severity, b.category, b.emergency, b.channels,
       CAST(:texts AS jsonb), b.reference, b.area_digest,
       GREATEST(b.expires_at, clock_timestamp() + interval '1 hour'), b.version
FROM dispatcher_broadcast AS b WHERE b.alert_id = :alert_id AND b.version = :version
RETURNING version
"""

# What was handed over, or turns out to have been, and has no correction yet.
_ADD_CORRECTIONS = """
WITH due AS MATERIALIZED (
    SELECT d.* FROM dispatcher_delivery AS d
    WHERE d.alert_id = :alert_id AND d.version = :corrects AND d.handed_over_at IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM dispatcher_delivery AS n WHERE n.alert_id = d.alert_id
            AND n.version = :version AND n.channel = d.channel
            AND n.address_hash = d.address_hash)
    LIMIT :limit
), made AS (
    INSERT INTO dispatcher_delivery (delivery_id, alert_id, version, channel, address_hash,
        hash_key_id, priority, language, chunk_id)
    SELECT dispatcher_delivery_id(d.alert_id, :version, d.channel, d.address_hash), d.alert_id,
           :version, d.channel, d.address_hash, d.hash_key_id, d.priority, d.language, :chunk_id
    FROM due AS d ORDER BY 1
    ON CONFLICT DO NOTHING
    RETURNING delivery_id, channel, priority, address_hash
), linked AS (
    INSERT INTO dispatcher_delivery_member (delivery_id, subscriber_id)
    SELECT dispatcher_delivery_id(d.alert_id, :version, d.channel, d.address_hash),
           m.subscriber_id
    FROM due AS d JOIN dispatcher_delivery_member AS m USING (delivery_id) ORDER BY 1, 2
    ON CONFLICT DO NOTHING
)
SELECT delivery_id, channel, priority, address_hash FROM made
"""

_LIVE_CORRECTIONS = """
SELECT c.alert_id, c.version, c.corrects_version
FROM dispatcher_broadcast AS c
JOIN dispatcher_broadcast AS o ON o.alert_id = c.alert_id AND o.version = c.corrects_version
WHERE c.kind = 'correction' AND c.state = 'live' AND c.expires_at > clock_timestamp()
  AND (:all_of_them OR o.stopped_at > clock_timestamp() - interval '10 minutes')
"""

_INSERT_CHUNK = """
INSERT INTO dispatcher_chunk (chunk_id, alert_id, version, run_id, n, origin, members, deliveries)
VALUES (:chunk_id, :alert_id, :version, :run_id, :n, :origin, :members, :deliveries)
"""

_NOTICES = """
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:notices AS jsonb)) AS n(
        notice_id uuid, template text, channel text, language text, address_sealed text,
        address_hash text, hash_key_id text, values_sealed text, expires_at timestamptz)
), opened AS (
    INSERT INTO dispatcher_broadcast (alert_id, version, kind, town, priority, severity, category,
        channels, texts, reference, area_digest, expires_at)
    SELECT notice_id, 1, 'notice', '*', 'notice', 'Unknown', 'Other', ARRAY[channel], '{}', '',
           '', expires_at
    FROM given ORDER BY notice_id
    ON CONFLICT DO NOTHING
    RETURNING alert_id
), kept AS (
    INSERT INTO dispatcher_notice (notice_id, template, language, address_sealed, values_sealed)
    SELECT notice_id, template, language, address_sealed, values_sealed
    FROM given JOIN opened ON opened.alert_id = given.notice_id
), chunked AS (
    INSERT INTO dispatcher_chunk (chunk_id, alert_id, version, run_id, n, origin, members,
        deliveries)
    SELECT notice_id, notice_id, 1, notice_id, 0, 'notice', 0, 1
    FROM given JOIN opened ON opened.alert_id = given.notice_id
)
INSERT INTO dispatcher_delivery (delivery_id, alert_id, version, channel, address_hash,
    hash_key_id, priority, language, chunk_id)
SELECT dispatcher_delivery_id(notice_id, 1, channel, decode(address_hash, 'hex')), notice_id, 1,
       channel, decode(address_hash, 'hex'), hash_key_id, 'notice', language, notice_id
FROM given JOIN opened ON opened.alert_id = given.notice_id
ORDER BY 1
RETURNING delivery_id, channel, priority, address_hash, chunk_id
"""

_TEXTS = """
SELECT texts, opened_at FROM dispatcher_broadcast
WHERE alert_id = :alert_id AND version = :version
"""

_UNPUBLISHED = """
SELECT chunk_id, alert_id, version FROM dispatcher_chunk
WHERE published_at IS NULL AND created_at < clock_timestamp() - interval '2 seconds'
ORDER BY created_at LIMIT :limit
"""

_OF_CHUNK = """
SELECT delivery_id, channel, priority, address_hash FROM dispatcher_delivery
WHERE alert_id = :alert_id AND version = :version AND chunk_id = :chunk_id
  AND state IN ('pending', 'retry_wait', 'held') AND due_at IS NULL
"""

_PUBLISHED = """
UPDATE dispatcher_chunk SET published_at = clock_timestamp()
WHERE chunk_id = ANY(CAST(:chunks AS uuid[])) AND published_at IS NULL
"""


async def insert_broadcast(tx: Tx, broadcast: Broadcast) -> None:
    """Write a live broadcast."""
    values = {
        name: getattr(broadcast, name)
        for name in (
            "alert_id version kind town priority severity category emergency reference"
            " area_digest nobody_yet expires_at corrects_version"
        ).split()
    }
    await execute(
        tx,
        _INSERT_BROADCAST,
        channels=list(broadcast.channels),
        texts=_json(broadcast.texts),
        **values,
    )


async def lock_live(tx: Tx, alert_id: UUID, version: int) -> bool:
    """Lock a live broadcast against claims and fan-out; say whether there is one."""
    await execute(tx, _SHUT_DOOR, alert_id=alert_id, version=version)
    return await fetch_one(tx, _LOCK_LIVE, alert_id=alert_id, version=version) is not None


async def mark_stopped(tx: Tx, *, alert_id: UUID, version: int, reason: str) -> None:
    """Stop a broadcast."""
    await execute(tx, _STOP, alert_id=alert_id, version=version, reason=reason)


async def insert_correction(
    tx: Tx, *, alert_id: UUID, version: int, texts: Mapping[str, Texts]
) -> int:
    """Open the correction of a version and return the correction's own version."""
    made = await fetch_value(tx, _CORRECT, alert_id=alert_id, version=version, texts=_json(texts))
    return int(made)


async def live_corrections(tx: Tx, *, all_of_them: bool) -> Sequence[RowMapping]:
    """Return live corrections: of what was stopped in the last ten minutes, or all."""
    return await fetch(tx, _LIVE_CORRECTIONS, all_of_them=all_of_them)


async def add_corrections(
    tx: Tx, *, alert_id: UUID, version: int, corrects: int, limit: int
) -> tuple[UUID, list[Request]]:
    """Add corrections of what was handed over meanwhile, with their chunk row."""
    chunk_id = new_id()
    made = requests(
        await fetch(
            tx,
            _ADD_CORRECTIONS,
            alert_id=alert_id,
            version=version,
            corrects=corrects,
            chunk_id=chunk_id,
            limit=limit,
        )
    )
    if made:
        await execute(
            tx,
            _INSERT_CHUNK,
            chunk_id=chunk_id,
            alert_id=alert_id,
            version=version,
            run_id=chunk_id,
            n=0,
            origin="correction",
            members=0,
            deliveries=len(made),
        )
    return chunk_id, made


async def insert_notices(tx: Tx, notices: bytes) -> tuple[list[UUID], list[Request]]:
    """Write notices (a JSON list) that are new, each a broadcast, a delivery and a chunk."""
    rows = await fetch(tx, _NOTICES, notices=notices.decode())
    return [row["chunk_id"] for row in rows], requests(rows)


async def texts_of(tx: Tx, alert_id: UUID, version: int) -> RowMapping | None:
    """Return a broadcast's texts and when it was opened."""
    return await fetch_one(tx, _TEXTS, alert_id=alert_id, version=version)


async def unpublished_chunks(tx: Tx, *, limit: int) -> Sequence[RowMapping]:
    """Return chunks whose deliveries nobody has asked for within two seconds."""
    return await fetch(tx, _UNPUBLISHED, limit=limit)


async def open_of_chunk(tx: Tx, chunk: RowMapping) -> list[Request]:
    """Return the deliveries of a chunk that are still to be sent."""
    return requests(await fetch(tx, _OF_CHUNK, **chunk))


async def mark_published(tx: Tx, chunks: Sequence[UUID]) -> None:
    """Mark chunks as asked for."""
    await execute(tx, _PUBLISHED, chunks=list(chunks))


def _json(texts: Mapping[str, Texts]) -> str:
    return orjson.dumps({language: asdict(one) for language, one in texts.items()}).decode()
