"""Signs a resident up: nothing is looked up, so nothing can be learnt of who is registered."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.subscriber.codes.send_code import send_code
from services.subscriber.consent.history import Subject
from services.subscriber.consent.note_consent import note_consent
from services.subscriber.roster.enrol import enrol
from services.subscriber.roster.resident import NewResident
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox
from shared.db.session import Tx


@dataclass(frozen=True, slots=True)
class Consent:
    """The words a person agreed to, and when, if they say so."""

    wording: str
    at: datetime | None = None


async def sign_up(
    tx: Tx,
    resident: NewResident,
    consent: Consent,
    *,
    outbox: Outbox,
    keys: Keys,
    voice_codes: bool,
) -> UUID:
    """Add a resident whose contact points are all unproved, and send each its code.

    A known address gets a new, unproved contact point of its own like any other: what its owner
    has proved before is not touched (R5, R6), and a household may share a number.
    """
    points = await enrol(tx, [resident], keys=keys)
    subjects = [Subject(p.contact_id, p.subscriber_id, p.channel) for p in points]
    await note_consent(
        tx, subjects, "given", source="sign_up", wording=consent.wording, at=consent.at
    )
    await send_code(tx, points, outbox=outbox, keys=keys, voice_codes=voice_codes)
    return resident.subscriber_id
