"""Confirms a contact point with its code; the others of the resident are not touched."""

from dataclasses import dataclass
from uuid import UUID

from services.subscriber.codes.check_code import check_code
from services.subscriber.codes.code import Checked
from services.subscriber.profiles import store
from services.subscriber.roster.mark import Mark, mark
from services.subscriber.roster.resident import Point
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox
from shared.db.session import Tx


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tries which code for which contact point (its id, or its number in the sign-up)."""

    subscriber_id: UUID
    contact: UUID | int
    code: str


async def confirm(
    tx: Tx, attempt: Attempt, *, outbox: Outbox, keys: Keys, voice_codes: bool
) -> Checked | None:
    """Try the code and, when it is right, mark the contact point as proved and publish it.

    A contact point proved before stays as it is, also opted out. Returns None where there is no
    such resident or contact point; a wrong code is returned, not raised, so that the try counts.
    """
    row = await store.find_point(tx, attempt.subscriber_id, attempt.contact)
    if row is None:
        return None
    point = Point.read(row)
    checked = await check_code(
        tx,
        attempt.code,
        subscriber_id=point.subscriber_id,
        contact_id=point.contact_id,
        keys=keys,
    )
    if checked.outcome == "right":
        proved = await _proved_by(tx, point, voice_codes=voice_codes)
        await mark(tx, proved, Mark("verified", source="code"), outbox=outbox, keys=keys)
    return checked


async def _proved_by(tx: Tx, point: Point, *, voice_codes: bool) -> list[Point]:
    if voice_codes or point.channel == "email":
        return [point]
    # The code was texted: whoever read it has the number, for calls too.
    rows = await store.phones_like(tx, point.subscriber_id, point.contact_id)
    return [Point.read(row) for row in rows]
