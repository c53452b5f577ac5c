"""Every statement on partners and pages."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch_one, fetch_value


async def insert_partner(
    tx: Tx,
    *,
    partner_id: UUID,
    name: str,
    sender: str,
    prefix: str,
    digest: bytes,
    categories: Sequence[str],
    town: str,
    created_by: str,
) -> bool:
    """Keep a partner; return False if the sender is taken."""
    return bool(
        await execute(
            tx,
            """INSERT INTO dispatcher_partner
                 (partner_id, name, sender, key_prefix, key_hash, categories, town, created_by)
               VALUES (:partner_id, :name, :sender, :prefix, :digest,
                       CAST(:categories AS text[]), :town, :created_by)
               ON CONFLICT (sender) DO NOTHING""",
            partner_id=partner_id,
            name=name,
            sender=sender,
            prefix=prefix,
            digest=digest,
            categories=list(categories),
            town=town,
            created_by=created_by,
        )
    )


async def find_by_prefix(tx: Tx, prefix: str) -> RowMapping | None:
    """Return the living partner whose key begins so."""
    return await fetch_one(
        tx,
        """SELECT partner_id, key_hash, town FROM dispatcher_partner
           WHERE key_prefix = :prefix AND disabled_at IS NULL""",
        prefix=prefix,
    )


async def find_partner(tx: Tx, partner_id: UUID) -> RowMapping | None:
    """Return a partner that has not been disabled."""
    return await fetch_one(
        tx,
        """SELECT partner_id, name, sender, categories, town, created_by FROM dispatcher_partner
           WHERE partner_id = :partner_id AND disabled_at IS NULL""",
        partner_id=partner_id,
    )


async def creator_of(tx: Tx, partner_id: UUID) -> str | None:
    """Return who made a partner, and so has seen its key; None where it is not seen."""
    name: str | None = await fetch_value(
        tx,
        "SELECT created_by FROM dispatcher_partner WHERE partner_id = :partner_id",
        partner_id=partner_id,
    )
    return name


async def brake(tx: Tx, key: str, *, seconds: int) -> bool:
    """Take the right to page for a reason; False if somebody did within the last seconds."""
    return bool(
        await execute(
            tx,
            """INSERT INTO dispatcher_page AS p (reason_key, paged_at)
               VALUES (:key, clock_timestamp())
               ON CONFLICT (reason_key) DO UPDATE SET paged_at = clock_timestamp()
               WHERE p.paged_at < clock_timestamp() - make_interval(secs => :seconds)""",
            key=key,
            seconds=seconds,
        )
    )


async def prune_pages(tx: Tx) -> None:
    """Forget pages of more than a day ago, of which no brake asks any more."""
    await execute(
        tx,
        "DELETE FROM dispatcher_page WHERE paged_at < clock_timestamp() - interval '1 day'",
    )
