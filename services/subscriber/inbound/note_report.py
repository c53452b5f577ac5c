"""Notes what providers say of an address: that it is wrong, cannot be texted, or said STOP."""

from services.subscriber.consent.history import Address
from services.subscriber.consent.lift import lift
from services.subscriber.consent.suppress import suppress
from services.subscriber.inbound import store
from services.subscriber.roster.mark import Mark, mark
from services.subscriber.roster.resident import Point
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.events.inbound import ContactReported


async def note_report(tx: Tx, event: ContactReported, *, outbox: Outbox, keys: Keys) -> None:
    """Mark every contact point at the address reported, as of the report's time."""
    digest = bytes.fromhex(event.address_hash)
    rows = await store.points_at(
        tx,
        channel=event.channel,
        address_hash=digest,
        hash_key_id=event.hash_key_id,
    )
    points = [Point.read(row) for row in rows]
    address = [Address(event.channel, digest, event.hash_key_id)]
    at, source = event.reported_at, "provider"
    if event.reason == "opted_out":
        await suppress(tx, address, reason="stop", at=at)
        what = Mark("opted_out", source, at)
    elif event.reason == "rejoined":
        await lift(tx, address, at=at)
        what = Mark("rejoined", source, at)
    else:
        # A new code that arrives takes the suspension back.
        what = Mark("suspended", source, at, detail=event.reason)
    await mark(tx, points, what, outbox=outbox, keys=keys)
