"""Sends a contact point a new code: to prove it, or to manage the profile again."""

from uuid import UUID

from services.subscriber.codes.send_code import send_code
from services.subscriber.codes.slow_down import slow_down
from services.subscriber.profiles import store
from services.subscriber.roster.resident import ADDRESS, Point
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.web.errors import not_found
from shared.web.limits import Limits


async def resend(
    tx: Tx,
    subscriber_id: UUID,
    contact: UUID | int,
    *,
    client: str | None,
    limits: Limits,
    outbox: Outbox,
    keys: Keys,
    voice_codes: bool,
) -> None:
    """Replace the contact point's code by a new one and send it.

    Raises:
        Problem: 404 where there is no such contact point, 429 when asked for too often.
    """
    row = await store.find_point(tx, subscriber_id, contact)
    if row is None:
        raise not_found()
    point = Point.read(row)
    address = keys.sealer.unseal(point.address_sealed, context=ADDRESS).decode()
    await slow_down(limits, [address], client=client, hasher=keys.hasher)
    await send_code(tx, [point], outbox=outbox, keys=keys, voice_codes=voice_codes)
