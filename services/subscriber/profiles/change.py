"""Changes a profile: preferences, places, and contact points with their codes."""

from uuid import UUID

from services.subscriber.codes.send_code import send_code
from services.subscriber.codes.slow_down import slow_down
from services.subscriber.roster.amend import Amended, Amendment, amend
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.web.limits import Limits


async def change(
    tx: Tx,
    subscriber_id: UUID,
    wish: Amendment,
    *,
    client: str | None,
    limits: Limits,
    outbox: Outbox,
    keys: Keys,
    voice_codes: bool,
) -> Amended:
    """Change what a resident told us and send a code to each contact point they added.

    Raises:
        Problem: 404, 409, 412 or 422 as `amend` says, 429 when codes are asked for too often.
    """
    if wish.add_contacts:
        addresses = [contact.address for contact in wish.add_contacts]
        await slow_down(limits, addresses, client=client, hasher=keys.hasher)
    amended = await amend(tx, subscriber_id, wish, outbox=outbox, keys=keys)
    await send_code(tx, amended.points, outbox=outbox, keys=keys, voice_codes=voice_codes)
    return amended
