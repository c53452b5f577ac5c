"""Writes down what happened to a resident's consent."""

from collections.abc import Sequence
from datetime import datetime

from services.subscriber.consent import store
from services.subscriber.consent.history import Action, Subject
from shared.db.session import Tx


async def note_consent(
    tx: Tx,
    subjects: Sequence[Subject],
    action: Action,
    *,
    source: str,
    wording: str | None = None,
    at: datetime | None = None,
) -> None:
    """Add a line for each contact point: what happened, how we know, and when (None is now)."""
    if subjects:
        await store.insert_consents(
            tx,
            contacts=[one.contact_id for one in subjects],
            residents=[one.subscriber_id for one in subjects],
            channels=[one.channel for one in subjects],
            action=action,
            source=source,
            wording=wording,
            at=at,
        )
