"""Every statement on received CAP messages."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch_one


async def find_message(tx: Tx, *, sender: str, identifier: str) -> RowMapping | None:
    """Return what was received under a sender's identifier, however long ago."""
    return await fetch_one(
        tx,
        """SELECT sent, digest, alert_id, partner_id FROM dispatcher_cap_message
           WHERE sender = :sender AND identifier = :identifier""",
        sender=sender,
        identifier=identifier,
    )


async def insert_message(
    tx: Tx,
    *,
    sender: str,
    identifier: str,
    sent: datetime,
    digest: bytes,
    alert_id: UUID,
    partner_id: UUID,
) -> bool:
    """Keep a message; False if the identifier was taken, also by somebody beside us just now."""
    return bool(
        await execute(
            tx,
            """INSERT INTO dispatcher_cap_message
                 (sender, identifier, sent, digest, alert_id, partner_id)
               VALUES (:sender, :identifier, :sent, :digest, :alert_id, :partner_id)
               ON CONFLICT (sender, identifier) DO NOTHING""",
            sender=sender,
            identifier=identifier,
            sent=sent,
            digest=digest,
            alert_id=alert_id,
            partner_id=partner_id,
        )
    )
