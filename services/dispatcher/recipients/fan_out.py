"""Fans out: a chunk of residents and their cards become members, deliveries and exclusions."""

from uuid import UUID

from services.dispatcher.recipients import store
from services.dispatcher.recipients.cast import FannedOut
from services.dispatcher.recipients.make_deliveries import make_deliveries
from shared.bus.errors import NotYet
from shared.db.session import Tx
from shared.events.audience import AudienceResolved
from shared.events.envelope import Poison
from shared.identifiers import derive_id


async def fan_out(tx: Tx, chunk: AudienceResolved) -> FannedOut:
    """Write one chunk, holding its broadcast against stopping; a repeated chunk changes nothing.

    A late joiner of an old version joins the newest one; of an alert that is over, none.

    Raises:
        NotYet: the broadcast has not come; a chunk of an alert that never was becomes a dead
            letter.
        Poison: the chunk was made for another area than the approved one.
    """
    cast = await store.hold_cast(tx, chunk.alert_id, chunk.version)
    if cast is None:
        raise NotYet(f"no broadcast {chunk.alert_id} version {chunk.version}")
    if cast.kind != "alert" or cast.area_digest != chunk.area_digest:
        raise Poison("area-of-another-alert")
    if not cast.live:
        newest = await store.newest_version(tx, chunk.alert_id)
        if newest is None or newest == cast.version:
            return FannedOut()
        cast = await store.hold_cast(tx, chunk.alert_id, newest)
        if cast is None or not cast.live:
            return FannedOut()
    chunk_id = derive_id("chunk", cast.alert_id, cast.version, chunk.run_id, chunk.chunk)
    origin = "late" if chunk.late else "audience"
    if not await store.add_chunk(
        tx, chunk_id, cast=cast, run_id=chunk.run_id, n=chunk.chunk, origin=origin
    ):
        return FannedOut()
    members: dict[UUID, str] = {}
    for member, reason in chunk.members():
        members.setdefault(member, reason)
    new = await store.add_members(tx, cast=cast, members=members, late=chunk.late)
    carded = [row["subscriber_id"] for row in new if row["card_version"] is not None]
    made = await make_deliveries(tx, cast=cast, chunk_id=chunk_id, subscribers=carded)
    await store.count_chunk(tx, chunk_id, members=len(new), deliveries=len(made))
    return FannedOut(made, [chunk_id] if made else [])
