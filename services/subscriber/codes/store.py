"""Every SQL statement on one-time codes; each contact point has at most one."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch, fetch_one


async def replace_codes(
    tx: Tx,
    *,
    contact_ids: Sequence[UUID],
    subscriber_ids: Sequence[UUID],
    digests: Sequence[bytes],
    key_ids: Sequence[str],
    lifetime_s: int,
) -> datetime:
    """Write a new code for each contact point in place of any older; return when they end."""
    rows = await fetch(
        tx,
        """INSERT INTO subscriber_code (contact_id, subscriber_id, digest, hash_key_id, expires_at)
           SELECT n.*, now() + make_interval(secs => :lifetime)
           FROM unnest(CAST(:contact_ids AS uuid[]), CAST(:subscriber_ids AS uuid[]),
                       CAST(:digests AS bytea[]), CAST(:key_ids AS text[])) AS n
           ON CONFLICT (contact_id) DO UPDATE SET digest = excluded.digest,
             hash_key_id = excluded.hash_key_id, sent_at = now(), tries = 0, used_at = NULL,
             expires_at = excluded.expires_at
           RETURNING expires_at""",
        contact_ids=list(contact_ids),
        subscriber_ids=list(subscriber_ids),
        digests=list(digests),
        key_ids=list(key_ids),
        lifetime=lifetime_s,
    )
    ends: datetime = rows[0]["expires_at"]
    return ends


async def count_try(
    tx: Tx, *, subscriber_id: UUID, contact_id: UUID, most: int
) -> RowMapping | None:
    """Count a try against a living code and return it, or None where none may be tried."""
    return await fetch_one(
        tx,
        """UPDATE subscriber_code SET tries = tries + 1
           WHERE contact_id = :contact_id AND subscriber_id = :subscriber_id
             AND used_at IS NULL AND expires_at > now() AND tries < :most
           RETURNING digest, tries""",
        contact_id=contact_id,
        subscriber_id=subscriber_id,
        most=most,
    )


async def read_code(tx: Tx, *, subscriber_id: UUID, contact_id: UUID) -> RowMapping | None:
    """Return whether a code may still be tried, and for how many seconds it lives."""
    return await fetch_one(
        tx,
        """SELECT used_at IS NULL AND expires_at > now() AS living, tries,
                  extract(epoch FROM expires_at - now()) AS seconds_left
           FROM subscriber_code
           WHERE contact_id = :contact_id AND subscriber_id = :subscriber_id""",
        contact_id=contact_id,
        subscriber_id=subscriber_id,
    )


async def use_code(tx: Tx, *, contact_id: UUID) -> None:
    """Use a code up."""
    await execute(
        tx,
        "UPDATE subscriber_code SET used_at = now() WHERE contact_id = :contact_id",
        contact_id=contact_id,
    )


async def delete_old_codes(tx: Tx, *, older_than_s: int) -> int:
    """Remove codes that ended long ago; return how many."""
    return await execute(
        tx,
        "DELETE FROM subscriber_code WHERE expires_at < now() - make_interval(secs => :age)",
        age=older_than_s,
    )
