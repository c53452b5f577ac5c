"""A resident's whole state as others hear it: places for one service, a card for the other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from services.subscriber.roster.resident import Preferences
from shared.events.subscriber import (
    REACH_BITS,
    Card,
    CardPoint,
    ContactChanged,
    Place,
    PlaceChanged,
    Reach,
)
from shared.events.topics import CONTACT_CHANGED, PLACE_CHANGED
from shared.security.sealing import Sealer

ROSTER_TOPICS = (PLACE_CHANGED, CONTACT_CHANGED)

Row = Mapping[Any, Any]


def whole_state(
    resident: Row, *, places: Iterable[Row], points: Sequence[Row], sealer: Sealer
) -> tuple[PlaceChanged, ContactChanged]:
    """Describe a resident at their version; `points` are the reachable ones, in order.

    Without any, no place is told: nobody counts whom no alert can reach, and nobody need know
    where they live.
    """
    subscriber_id, version = resident["subscriber_id"], resident["version"]
    preferences = Preferences.read(resident["preferences"])
    card = Card(
        language=resident["language"],
        categories=preferences.categories,
        severity_floor=preferences.severity_floor,
        contact_points=tuple(_card_point(point) for point in points),
    )
    reach = Reach(
        channels=sum({REACH_BITS[point["channel"]] for point in points}),
        language=resident["language"],
        severity_floor=preferences.severity_floor,
        emergency_only=bool(points) and all(p["state"] == "statutory" for p in points),
    )
    return (
        PlaceChanged(
            subscriber_id=subscriber_id,
            version=version,
            places=tuple(_place(place) for place in places) if points else (),
            reach=reach,
        ),
        ContactChanged(
            subscriber_id=subscriber_id,
            version=version,
            opted_in_at=max((point["opted_in_at"] for point in points), default=None),
            card_sealed=sealer.seal(
                card.model_dump_json().encode(), context=f"card:{subscriber_id}:{version}"
            ),
        ),
    )


def erased_state(subscriber_id: UUID, version: int) -> tuple[PlaceChanged, ContactChanged]:
    """Describe somebody who was erased at a version: nothing but that."""
    return (
        PlaceChanged(
            subscriber_id=subscriber_id,
            version=version,
            erased=True,
            places=(),
            reach=Reach(channels=0, language="und"),
        ),
        ContactChanged(subscriber_id=subscriber_id, version=version, erased=True),
    )


def _place(row: Row) -> Place:
    return Place(
        place_id=row["place_id"],
        lon=row["lon"],
        lat=row["lat"],
        uncertainty_m=row["uncertainty_m"],
    )


def _card_point(row: Row) -> CardPoint:
    return CardPoint(
        contact_id=row["contact_id"],
        channel=row["channel"],
        address_sealed=row["address_sealed"],
        address_hash=bytes(row["address_hash"]).hex(),
        hash_key_id=row["hash_key_id"],
        basis=row["state"],
        position=row["position"],
        opted_in_at=row["opted_in_at"],
    )
