"""Changes what a resident told us of themselves, all of it or nothing, and tells of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from services.subscriber.consent.history import Subject
from services.subscriber.consent.note_consent import note_consent
from services.subscriber.roster import store, store_points
from services.subscriber.roster.additions import add_places, add_points, make_point, seal_label
from services.subscriber.roster.publish import publish
from services.subscriber.roster.resident import (
    MOST_CONTACTS,
    MOST_PLACES,
    NewContact,
    NewPlace,
    Point,
    Preferences,
)
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.web.errors import conflict, not_found, precondition_failed, unprocessable


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is to change; `expect` is the version the resident saw, None is any."""

    expect: int | None = None
    language: str | None = None
    categories: tuple[str, ...] | None = None
    severity_floor: str | None = None
    order: tuple[UUID, ...] | None = None
    add_contacts: tuple[NewContact, ...] = ()
    remove_contacts: tuple[UUID, ...] = ()
    add_places: tuple[NewPlace, ...] = ()
    move_places: tuple[tuple[UUID, NewPlace], ...] = ()
    remove_places: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Amended:
    """What came of it: the new version, contact points and places."""

    version: int
    points: tuple[Point, ...]
    places: tuple[UUID, ...]


async def amend(
    tx: Tx, subscriber_id: UUID, wish: Amendment, *, outbox: Outbox, keys: Keys
) -> Amended:
    """Change a resident under their row lock, give them the next version and publish it.

    Raises:
        Problem: 404 for what is not there, 412 for a version that is not the newest, 409 for a
            contact point they already have, 422 for more than they may have.
    """
    locked = await store.lock(tx, [subscriber_id])
    if not locked:
        raise not_found()
    resident = locked[0]
    if wish.expect is not None and wish.expect != resident["version"]:
        raise precondition_failed()
    await _change_wishes(tx, resident, wish)
    points = await _change_points(tx, resident, wish, keys=keys)
    places = await _change_places(tx, subscriber_id, wish, keys=keys)
    versions = await publish(tx, [subscriber_id], outbox=outbox, keys=keys)
    return Amended(versions[subscriber_id], tuple(points), tuple(places))


async def _change_wishes(tx: Tx, resident: Mapping[Any, Any], wish: Amendment) -> None:
    if (wish.language, wish.categories, wish.severity_floor) == (None, None, None):
        return
    before = Preferences.read(resident["preferences"])
    preferences = Preferences(
        before.categories if wish.categories is None else wish.categories,
        wish.severity_floor or before.severity_floor,
    )
    await store.set_preferences(
        tx,
        resident["subscriber_id"],
        language=wish.language or resident["language"],
        preferences=orjson.dumps(preferences).decode(),
    )


async def _change_points(
    tx: Tx, resident: Mapping[Any, Any], wish: Amendment, *, keys: Keys
) -> list[Point]:
    subscriber_id = resident["subscriber_id"]
    for contact_id in wish.remove_contacts:
        gone = await store_points.delete_point(
            tx, subscriber_id=subscriber_id, contact_id=contact_id
        )
        if gone is None:
            raise not_found()
        subject = Subject(contact_id, subscriber_id, gone["channel"])
        await note_consent(tx, [subject], "removed", source="profile")
    if not wish.add_contacts and wish.order is None:
        return []
    rows = await store_points.read_points(tx, [subscriber_id])
    if wish.order is not None:
        if sorted(wish.order) != sorted(row["contact_id"] for row in rows):
            detail = "The order must name each of your contact points once."
            raise unprocessable("order-incomplete", detail, pointer="/order")
        await store_points.order_points(tx, subscriber_id, wish.order)
    return await _add_contacts(tx, resident, wish.add_contacts, rows, keys=keys)


async def _add_contacts(
    tx: Tx,
    resident: Mapping[Any, Any],
    contacts: Sequence[NewContact],
    rows: Sequence[Mapping[Any, Any]],
    *,
    keys: Keys,
) -> list[Point]:
    if len(rows) + len(contacts) > MOST_CONTACTS:
        raise unprocessable("too-many-contact-points", f"At most {MOST_CONTACTS} contact points.")
    after = 1 + max((row["position"] for row in rows), default=-1)
    points = [
        make_point(
            contact,
            resident["subscriber_id"],
            after + n,
            language=resident["language"],
            keys=keys,
        )
        for n, contact in enumerate(contacts)
    ]
    known = {(row["channel"], bytes(row["address_hash"])) for row in rows}
    if any((point.channel, point.address_hash) in known for point in points):
        raise conflict("contact-point-exists", "You have this contact point already.")
    await add_points(tx, points)
    subjects = [Subject(p.contact_id, p.subscriber_id, p.channel) for p in points]
    await note_consent(tx, subjects, "given", source="profile")
    return points


async def _change_places(tx: Tx, subscriber_id: UUID, wish: Amendment, *, keys: Keys) -> list[UUID]:
    for place_id in wish.remove_places:
        if not await store.delete_place(tx, subscriber_id=subscriber_id, place_id=place_id):
            raise not_found()
    for place_id, place in wish.move_places:
        moved = await store.move_place(
            tx,
            subscriber_id=subscriber_id,
            place_id=place_id,
            label=seal_label(place.label, keys),
            lon=place.lon,
            lat=place.lat,
            within=place.uncertainty_m,
        )
        if not moved:
            raise not_found()
    if not wish.add_places:
        return []
    rows = await store.read_places(tx, [subscriber_id])
    if len(rows) + len(wish.add_places) > MOST_PLACES:
        raise unprocessable("too-many-places", f"At most {MOST_PLACES} places.")
    after = 1 + max((row["position"] for row in rows), default=-1)
    return await add_places(
        tx,
        ((subscriber_id, after + n, place) for n, place in enumerate(wish.add_places)),
        keys=keys,
    )
