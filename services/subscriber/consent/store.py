"""Every SQL statement on consent history and suppressed addresses."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch


async def insert_consents(
    tx: Tx,
    *,
    contacts: Sequence[UUID],
    residents: Sequence[UUID],
    channels: Sequence[str],
    action: str,
    source: str,
    wording: str | None,
    at: datetime | None,
) -> None:
    """Add a line of history for each contact point."""
    await execute(
        tx,
        """INSERT INTO subscriber_consent
             (contact_id, subscriber_id, channel, action, source, wording, at)
           SELECT n.*, :action, :source, CAST(:wording AS text),
                  COALESCE(CAST(:at AS timestamptz), now())
           FROM unnest(CAST(:contacts AS uuid[]), CAST(:residents AS uuid[]),
                       CAST(:channels AS text[])) AS n""",
        contacts=list(contacts),
        residents=list(residents),
        channels=list(channels),
        action=action,
        source=source,
        wording=wording,
        at=at,
    )


async def read_consents(tx: Tx, subscriber_id: UUID) -> Sequence[RowMapping]:
    """Return a resident's history, oldest first."""
    return await fetch(
        tx,
        """SELECT contact_id, channel, action, source, wording, at FROM subscriber_consent
           WHERE subscriber_id = :id ORDER BY consent_id""",
        id=subscriber_id,
    )


async def delete_consents(tx: Tx, subscriber_ids: Sequence[UUID]) -> None:
    """Remove the history of residents who are gone; the database refuses any other."""
    await execute(
        tx,
        "DELETE FROM subscriber_consent WHERE subscriber_id = ANY(CAST(:ids AS uuid[]))",
        ids=list(subscriber_ids),
    )


async def insert_suppressions(
    tx: Tx,
    *,
    channels: Sequence[str],
    hashes: Sequence[bytes],
    key_ids: Sequence[str],
    reason: str,
    at: datetime | None,
) -> None:
    """Remember addresses by their hashes; the latest time counts."""
    await execute(
        tx,
        """INSERT INTO subscriber_suppression AS s
             (channel, address_hash, hash_key_id, reason, suppressed_at)
           SELECT DISTINCT ON (n.channel, n.hash) n.channel, n.hash, n.key_id, :reason,
                  COALESCE(CAST(:at AS timestamptz), now())
           FROM unnest(CAST(:channels AS text[]), CAST(:hashes AS bytea[]),
                       CAST(:key_ids AS text[])) AS n(channel, hash, key_id)
           ORDER BY n.channel, n.hash
           ON CONFLICT (channel, address_hash) DO UPDATE
             SET suppressed_at = greatest(s.suppressed_at, excluded.suppressed_at)""",
        channels=list(channels),
        hashes=list(hashes),
        key_ids=list(key_ids),
        reason=reason,
        at=at,
    )


async def delete_suppressions(
    tx: Tx, *, channels: Sequence[str], hashes: Sequence[bytes], until: datetime | None
) -> None:
    """Forget the suppression of addresses, unless it came after `until`."""
    await execute(
        tx,
        """DELETE FROM subscriber_suppression s
           USING unnest(CAST(:channels AS text[]), CAST(:hashes AS bytea[])) AS n(channel, hash)
           WHERE s.channel = n.channel AND s.address_hash = n.hash
             AND s.suppressed_at <= COALESCE(CAST(:until AS timestamptz), now())""",
        channels=list(channels),
        hashes=list(hashes),
        until=until,
    )
