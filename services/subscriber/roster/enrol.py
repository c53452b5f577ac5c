"""Puts residents on the roster, one or many thousands, with a few statements."""

from collections.abc import Sequence

import orjson

from services.subscriber.roster import store
from services.subscriber.roster.additions import add_places, add_points, make_point
from services.subscriber.roster.resident import NewResident, Point
from services.subscriber.settings import Keys
from shared.db.session import Tx


async def enrol(
    tx: Tx, residents: Sequence[NewResident], *, keys: Keys, batch: str | None = None
) -> list[Point]:
    """Add residents with their contact points and places; return the new contact points.

    Who is on the roster already, or was erased, is left out. Nothing is published here.
    """
    added = await store.insert_residents(
        tx,
        {
            "ids": [one.subscriber_id for one in residents],
            "languages": [one.language for one in residents],
            "preferences": [orjson.dumps(one.preferences).decode() for one in residents],
            "reachable": [any(c.basis for c in one.contacts) for one in residents],
        },
        batch,
    )
    new = [one for one in residents if one.subscriber_id in added]
    points = [
        make_point(contact, one.subscriber_id, position, language=one.language, keys=keys)
        for one in new
        for position, contact in enumerate(one.contacts)
    ]
    await add_points(tx, points)
    await add_places(
        tx,
        ((one.subscriber_id, n, place) for one in new for n, place in enumerate(one.places)),
        keys=keys,
    )
    return points
