"""One change of the roster as the index and the place tables take it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.events.subscriber import PlaceChanged

# The version of somebody erased: no later event is newer, so nothing brings them back.
FORGOTTEN = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Spot:
    """A place: degrees WGS 84, uncertainty in metres."""

    place_id: UUID
    lon: float
    lat: float
    uncertainty_m: float


@dataclass(frozen=True, slots=True)
class Stay:
    """A place, and since when it has been one of a resident's; None where nobody knows."""

    spot: Spot
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """The whole set of a resident's places as of a version; forgetting takes no version."""

    subscriber_id: UUID
    version: int
    erased: bool
    spots: tuple[Spot, ...] = ()
    channels: int = 0
    language: str = "en-US"
    severity_floor: str = "Unknown"
    emergency_only: bool = False


def forget(subscriber_id: UUID) -> Change:
    """Make the change that a null record stands for: this resident is never to come back."""
    return Change(subscriber_id=subscriber_id, version=0, erased=True)


def change_of(key: bytes, event: PlaceChanged | None) -> Change:
    """Make a change of a roster record; a null record means forget its key.

    Raises:
        ValueError: a null record whose key is no resident.
    """
    if event is None:
        return forget(UUID(key.decode("ascii")))
    reach = event.reach
    return Change(
        subscriber_id=event.subscriber_id,
        version=event.version,
        erased=event.erased,
        spots=()
        if event.erased
        else tuple(
            Spot(place.place_id, place.lon, place.lat, place.uncertainty_m)
            for place in event.places
        ),
        channels=reach.channels,
        language=reach.language,
        severity_floor=reach.severity_floor,
        emergency_only=reach.emergency_only,
    )
