"""Tells the subscriber service what a provider said of an address; a STOP counts here at once."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from services.dispatcher.contacts.suppress import suppress
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.events.inbound import ContactReported

Reason = Literal["opted_out", "invalid", "hard_bounce", "landline"]


async def report_contact(
    tx: Tx,
    *,
    report_id: UUID,
    channel: Literal["sms", "voice", "email"],
    address_hash: bytes,
    hash_key_id: str,
    reason: Reason,
    code: str,
    at: datetime,
    outbox: Outbox,
) -> None:
    """Report an address as unusable, and suppress it in the same transaction if it opted out."""
    if reason == "opted_out":
        await suppress(
            tx,
            channel=channel,
            address_hash=address_hash,
            hash_key_id=hash_key_id,
            reason=reason,
            at=at,
        )
    await outbox.put(
        tx,
        ContactReported(
            report_id=report_id,
            channel=channel,
            address_hash=address_hash.hex(),
            hash_key_id=hash_key_id,
            reason=reason,
            code=code[:64],
            reported_at=at,
        ),
    )
