"""Every SQL statement on contact points."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch, fetch_one

_COLUMNS = """p.contact_id, p.subscriber_id, p.channel, p.address_sealed, p.address_hash,
    p.hash_key_id, p.state, p.position, p.added_at, p.verified_at, p.opted_in_at, p.opted_out_at,
    p.suspended_at, p.suspended_for"""

# What each action does, to whom, and only if nothing later has happened (`at` may be a past
# moment, because what residents text reaches us over the bus and perhaps twice).
_MOVES = {
    "verified": (
        """state = 'verified', verified_at = COALESCE(CAST(:at AS timestamptz), now()),
           opted_in_at = CASE WHEN state = 'verified' THEN opted_in_at
                         ELSE COALESCE(CAST(:at AS timestamptz), now()) END,
           opted_out_at = CASE WHEN state = 'verified' THEN opted_out_at END,
           suspended_at = NULL, suspended_for = NULL""",
        "state <> 'verified' OR suspended_at IS NOT NULL",
    ),
    "opted_out": (
        "opted_out_at = COALESCE(CAST(:at AS timestamptz), now())",
        """opted_out_at IS NULL AND (opted_in_at IS NULL
           OR opted_in_at <= COALESCE(CAST(:at AS timestamptz), now()))""",
    ),
    "rejoined": (
        "opted_out_at = NULL, opted_in_at = COALESCE(CAST(:at AS timestamptz), now())",
        """state = 'verified' AND opted_out_at IS NOT NULL
           AND opted_out_at <= COALESCE(CAST(:at AS timestamptz), now())""",
    ),
    "suspended": (
        """suspended_at = COALESCE(CAST(:at AS timestamptz), now()),
           suspended_for = CAST(:detail AS text)""",
        """suspended_at IS NULL AND (verified_at IS NULL
           OR verified_at <= COALESCE(CAST(:at AS timestamptz), now()))""",
    ),
}


async def insert_points(tx: Tx, columns: Mapping[str, Sequence[Any]]) -> None:
    """Add contact points, given as columns; one that comes in proved respects an old STOP."""
    await execute(
        tx,
        """INSERT INTO subscriber_contact_point
             (contact_id, subscriber_id, channel, address_sealed, address_hash, hash_key_id,
              state, position, verified_at, opted_in_at, opted_out_at)
           SELECT n.contact_id, n.subscriber_id, n.channel, n.sealed, n.hash, n.key_id,
                  n.state, n.position, CASE WHEN n.state = 'verified' THEN now() END,
                  CASE n.state WHEN 'verified' THEN now() ELSE n.since END, s.suppressed_at
           FROM unnest(CAST(:contact_ids AS uuid[]), CAST(:subscriber_ids AS uuid[]),
                  CAST(:channels AS text[]), CAST(:sealed AS text[]), CAST(:hashes AS bytea[]),
                  CAST(:key_ids AS text[]), CAST(:states AS text[]), CAST(:positions AS smallint[]),
                  CAST(:since AS timestamptz[]))
                AS n(contact_id, subscriber_id, channel, sealed, hash, key_id, state, position,
                     since)
           LEFT JOIN subscriber_suppression s ON n.state <> 'unverified'
             AND s.channel = n.channel AND s.address_hash = n.hash""",
        **columns,
    )


async def read_points(
    tx: Tx, ids: Sequence[UUID], *, reachable_only: bool = False
) -> Sequence[RowMapping]:
    """Return the contact points of residents in their order.

    Reachable: verified or statutory, not opted out and not suspended (FLOWS §1).
    """
    return await fetch(
        tx,
        f"""SELECT {_COLUMNS} FROM subscriber_contact_point p
            WHERE p.subscriber_id = ANY(CAST(:ids AS uuid[]))
              AND (NOT :reachable_only OR (p.state <> 'unverified'
                   AND p.opted_out_at IS NULL AND p.suspended_at IS NULL))
            ORDER BY p.subscriber_id, p.position, p.contact_id""",
        ids=list(ids),
        reachable_only=reachable_only,
    )


async def move_points(
    tx: Tx, contact_ids: Sequence[UUID], *, action: str, at: datetime | None, detail: str
) -> Sequence[RowMapping]:
    """Apply an action to contact points where it means a change; return those it changed."""
    change, guard = _MOVES[action]
    values = {"at": at, "detail": detail} if action == "suspended" else {"at": at}
    return await fetch(
        tx,
        f"""UPDATE subscriber_contact_point SET {change}
            WHERE contact_id = ANY(CAST(:contact_ids AS uuid[])) AND ({guard})
            RETURNING contact_id, subscriber_id, channel, address_hash, hash_key_id""",
        contact_ids=list(contact_ids),
        **values,
    )


async def delete_point(tx: Tx, *, subscriber_id: UUID, contact_id: UUID) -> RowMapping | None:
    """Remove a contact point; return its channel, or None where it was not there."""
    return await fetch_one(
        tx,
        """DELETE FROM subscriber_contact_point
           WHERE contact_id = :contact_id AND subscriber_id = :subscriber_id
           RETURNING contact_id, channel""",
        subscriber_id=subscriber_id,
        contact_id=contact_id,
    )


async def order_points(tx: Tx, subscriber_id: UUID, order: Sequence[UUID]) -> None:
    """Number a resident's contact points in the given order."""
    await execute(
        tx,
        """UPDATE subscriber_contact_point p SET position = n.position - 1
           FROM unnest(CAST(:order AS uuid[])) WITH ORDINALITY AS n(contact_id, position)
           WHERE p.contact_id = n.contact_id AND p.subscriber_id = :subscriber_id""",
        subscriber_id=subscriber_id,
        order=list(order),
    )
