"""Reads a resident's consent history back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.subscriber.consent import store
from shared.db.session import Tx


async def read_consent(tx: Tx, subscriber_id: UUID) -> list[Mapping[Any, Any]]:
    """Return a resident's history, oldest first."""
    return list(await store.read_consents(tx, subscriber_id))
