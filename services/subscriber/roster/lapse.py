"""Forgets sign-ups that nobody confirmed: they were never told to anybody."""

from services.subscriber.consent.forget_consent import forget_consent
from services.subscriber.roster import store
from shared.db.session import Tx

PATIENCE_S = 7 * 24 * 3600


async def lapse(tx: Tx, *, limit: int = 500) -> int:
    """Remove up to `limit` residents who proved no address within a week; return how many."""
    gone = await store.delete_unconfirmed(tx, older_than_s=PATIENCE_S, limit=limit)
    await forget_consent(tx, gone)
    return len(gone)
