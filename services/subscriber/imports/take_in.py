"""Takes residents in by the thousand: from the 911 data, a former system, or a seed."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.subscriber.entries.email import read_email
from services.subscriber.entries.phone import read_phone
from services.subscriber.entries.refusal import Refusal
from services.subscriber.entries.wishes import check_point, read_label, read_language
from services.subscriber.imports import store
from services.subscriber.roster.enrol import enrol
from services.subscriber.roster.publish import publish
from services.subscriber.roster.resident import NewContact, NewPlace, NewResident
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox
from shared.db.session import Tx


class BatchRefused(ValueError):
    """A resident of the batch who cannot be taken in: their number in it, and why."""

    def __init__(self, number: int, code: str) -> None:
        super().__init__(f"resident {number}: {code}")
        self.number = number
        self.code = code


async def take_in(
    tx: Tx,
    residents: Sequence[NewResident],
    *,
    batch: str,
    source: str,
    outbox: Outbox,
    keys: Keys,
) -> list[UUID]:
    """Add residents with their contact points and places, publish them, and return who is new.

    Contact points come in verified or statutory (CGS 28-28a: wired landlines, voice only); an
    address that said STOP before stays opted out. Who is known already or was erased is left out,
    so the same batch may come twice. 10,000 to a transaction is a good size.

    Raises:
        BatchRefused: a resident cannot be taken in; nothing of this call may be committed.
    """
    checked = [_checked(number, resident) for number, resident in enumerate(residents)]
    await store.open_batch(tx, batch=batch, source=source)
    points = await enrol(tx, checked, keys=keys, batch=batch)
    added = list(dict.fromkeys(point.subscriber_id for point in points))
    await publish(tx, added, outbox=outbox, keys=keys, changed=False)
    await store.count_batch(tx, batch=batch, residents=len(added))
    return added


def _checked(number: int, resident: NewResident) -> NewResident:
    try:
        if not resident.contacts:
            raise Refusal("no-contact-point", "Somebody nobody can reach is no resident of ours.")
        return replace(
            resident,
            language=read_language(resident.language),
            contacts=tuple(dict.fromkeys(_contact(one) for one in resident.contacts)),
            places=tuple(_place(one) for one in resident.places),
        )
    except Refusal as error:
        raise BatchRefused(number, error.code) from None


def _contact(contact: NewContact) -> NewContact:
    if contact.basis is None:
        raise Refusal("no-basis", "An imported contact point needs a basis.")
    if contact.basis == "statutory" and contact.channel != "voice":
        raise Refusal("statutory-not-voice", "A number of the 911 data is a wired landline.")
    read = read_email if contact.channel == "email" else read_phone
    return replace(contact, address=read(contact.address))


def _place(place: NewPlace) -> NewPlace:
    check_point(place.lon, place.lat)
    return replace(place, label=read_label(place.label)) if place.label else place
