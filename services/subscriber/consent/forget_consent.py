"""Lets consent history go with the person."""

from collections.abc import Sequence
from uuid import UUID

from services.subscriber.consent import store
from shared.db.session import Tx


async def forget_consent(tx: Tx, subscriber_ids: Sequence[UUID]) -> None:
    """Remove the history of residents who have been removed themselves."""
    await store.delete_consents(tx, subscriber_ids)
