"""Stops alerts to one contact point, or takes that back."""

from uuid import UUID

from services.subscriber.profiles import store
from services.subscriber.roster.mark import Mark, mark
from services.subscriber.roster.resident import Point
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.web.errors import conflict, not_found


async def receive(
    tx: Tx, subscriber_id: UUID, contact_id: UUID, *, wanted: bool, outbox: Outbox, keys: Keys
) -> None:
    """Stop alerts to one contact point of a resident, or take that back; twice is as once.

    Raises:
        Problem: 404 where there is no such contact point, 409 for taking alerts at an address
            that is not proved.
    """
    row = await store.find_point(tx, subscriber_id, contact_id)
    if row is None:
        raise not_found()
    point = Point.read(row)
    if wanted and point.state != "verified":
        raise conflict("not-verified", "Confirm this contact point with a code first.")
    what = Mark("rejoined" if wanted else "opted_out", source="profile")
    await mark(tx, [point], what, outbox=outbox, keys=keys)
