"""Shows residents their own profile, opened for their eyes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.subscriber.profiles import store
from services.subscriber.roster.resident import ADDRESS, LABEL, Preferences
from services.subscriber.settings import Keys
from shared.db.session import Tx
from shared.web.errors import not_found


@dataclass(frozen=True, slots=True)
class OwnPoint:
    """A contact point as its owner sees it; `receives` is whether alerts go there."""

    contact_id: UUID
    channel: str
    address: str
    state: str
    receives: bool
    opted_out_at: datetime | None
    suspended_for: str | None
    position: int


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """A place as its owner sees it: degrees WGS 84, uncertainty in metres."""

    place_id: UUID
    label: str
    lon: float
    lat: float
    uncertainty_m: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything a resident may see and change of themselves."""

    subscriber_id: UUID
    version: int
    language: str
    preferences: Preferences
    contact_points: tuple[OwnPoint, ...]
    places: tuple[OwnPlace, ...]
    created_at: datetime


async def show(tx: Tx, subscriber_id: UUID, *, keys: Keys) -> Profile:
    """Return a resident with addresses and labels opened.

    Raises:
        Problem: 404 where there is no such resident any more.
    """
    row = await store.read_resident(tx, subscriber_id)
    if row is None:
        raise not_found()
    points = await store.read_points(tx, subscriber_id)
    places = await store.read_places(tx, subscriber_id)
    return Profile(
        subscriber_id=subscriber_id,
        version=row["version"],
        language=row["language"],
        preferences=Preferences.read(row["preferences"]),
        contact_points=tuple(_own_point(point, keys) for point in points),
        places=tuple(
            OwnPlace(
                place_id=place["place_id"],
                label=keys.sealer.unseal(place["label_sealed"], context=LABEL).decode(),
                lon=place["lon"],
                lat=place["lat"],
                uncertainty_m=place["uncertainty_m"],
            )
            for place in places
        ),
        created_at=row["created_at"],
    )


def _own_point(row: Mapping[Any, Any], keys: Keys) -> OwnPoint:
    reachable = row["state"] != "unverified"
    return OwnPoint(
        contact_id=row["contact_id"],
        channel=row["channel"],
        address=keys.sealer.unseal(row["address_sealed"], context=ADDRESS).decode(),
        state=row["state"],
        receives=reachable and row["opted_out_at"] is None and row["suspended_at"] is None,
        opted_out_at=row["opted_out_at"],
        suspended_for=row["suspended_for"],
        position=row["position"],
    )
