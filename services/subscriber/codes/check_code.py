"""Checks a one-time code; every try counts, also the one that fails."""

from uuid import UUID

from services.subscriber.codes import store
from services.subscriber.codes.code import MOST_TRIES, Checked, is_code
from services.subscriber.settings import Keys
from shared.db.session import Tx


async def check_code(
    tx: Tx, code: str, *, subscriber_id: UUID, contact_id: UUID, keys: Keys
) -> Checked:
    """Try a code for a contact point and use it up when it is right.

    The answer is returned and not raised, because a failed try must be committed.
    """
    row = await store.count_try(
        tx, subscriber_id=subscriber_id, contact_id=contact_id, most=MOST_TRIES
    )
    if row is None:
        known = await store.read_code(tx, subscriber_id=subscriber_id, contact_id=contact_id)
        if known is not None and known["living"]:
            return Checked("too_many", retry_after_s=float(known["seconds_left"]))
        return Checked("gone")
    stored = bytes(row["digest"])
    if is_code(keys.hasher, code, stored, subscriber_id=subscriber_id, contact_id=contact_id):
        await store.use_code(tx, contact_id=contact_id)
        return Checked("right")
    return Checked("wrong", tries_left=MOST_TRIES - int(row["tries"]))
