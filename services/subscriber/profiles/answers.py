"""What residents get back over this room's HTTP interface."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict

from services.subscriber.profiles.show import Profile
from services.subscriber.roster.resident import Channel
from shared.web.models import example

_SIGNED_UP: dict[str, Any] = {
    "subscriber_id": "0198f4e2-7c1d-7b3a-9c55-0c8f2f1f7a10",
    "message": "If these contact points are yours, each of them receives a code.",
}
_LINK = "eyJzdWJzY3JpYmVyIjoiLi4uIn0.aWUAyg.c2lnbmF0dXJl"
_ID = _SIGNED_UP["subscriber_id"]
_POINT: dict[str, Any] = {
    "contact_id": "0198f4e2-7c1d-7c02-8d11-3f5a9b0c4e21", "channel": "sms", "state": "verified",
    "receives": True,
}  # fmt: skip
_PLACE: dict[str, Any] = {
    "place_id": "0198f4e2-7c1d-7c88-b6f0-9a1e2d3c4b55", "label": "home", "lon": -72.6734,
    "lat": 41.7658, "uncertainty_m": 0.0,
}  # fmt: skip
_PROFILE: dict[str, Any] = {
    "subscriber_id": _ID, "version": 2, "language": "en", "categories": ["Met", "Safety"],
    "severity_floor": "Moderate",
    "contact_points": [
        {**_POINT, "address": "+18605550123", "opted_out_at": None, "suspended_for": None,
         "position": 0},
    ],
    "places": [_PLACE], "created_at": "2026-01-12T14:03:22Z",
}  # fmt: skip
_CONSENT: dict[str, Any] = {
    "contact_id": _POINT["contact_id"], "channel": "sms", "action": "given",
    "source": "sign_up", "wording": "2026-01", "at": "2026-01-12T14:03:22Z",
}  # fmt: skip
_EXPORT = {**_PROFILE, "consent": [_CONSENT], "exported_at": "2026-02-03T15:00:00Z"}

SubscriberId = Annotated[UUID, Path(examples=[_ID])]
ContactId = Annotated[UUID, Path(examples=[_POINT["contact_id"]])]
PlaceId = Annotated[UUID, Path(examples=[_PLACE["place_id"]])]


class Answer(BaseModel):
    """What residents get back."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class SignedUp(Answer):
    """The same answer for everybody."""

    model_config = example(**_SIGNED_UP)

    subscriber_id: UUID
    message: str


class PointState(Answer):
    """How a contact point stands."""

    contact_id: UUID
    channel: Channel
    state: Literal["unverified", "verified", "statutory"]
    receives: bool


class Confirmed(Answer):
    """Who may manage the profile from now on, with the token as bearer."""

    model_config = example(subscriber_id=_ID, contact_points=[_POINT], manage_token=_LINK)

    subscriber_id: UUID
    contact_points: tuple[PointState, ...]
    manage_token: str


class OwnPointAnswer(PointState):
    """A contact point as its owner sees it."""

    address: str
    opted_out_at: datetime | None
    suspended_for: str | None
    position: int


class OwnPlaceAnswer(Answer):
    """A place as its owner sees it."""

    place_id: UUID
    label: str
    lon: float
    lat: float
    uncertainty_m: float


class ProfileAnswer(Answer):
    """Everything a resident told us."""

    model_config = example(**_PROFILE)

    subscriber_id: UUID
    version: int
    language: str
    categories: tuple[str, ...]
    severity_floor: str
    contact_points: tuple[OwnPointAnswer, ...]
    places: tuple[OwnPlaceAnswer, ...]
    created_at: datetime

    @classmethod
    def of(cls, profile: Profile) -> "ProfileAnswer":
        """Show a profile."""
        return cls(**_shown(profile))


class ConsentAnswer(Answer):
    """One line of consent history."""

    contact_id: UUID
    channel: str
    action: str
    source: str
    wording: str | None
    at: datetime


class ExportAnswer(ProfileAnswer):
    """Everything we hold of a resident, history included."""

    model_config = example(**_EXPORT)

    consent: tuple[ConsentAnswer, ...]
    exported_at: datetime

    @classmethod
    def of_all(cls, profile: Profile, consent: Iterable[Mapping[str, Any]]) -> "ExportAnswer":
        """Show a profile and the history of consent, as of now."""
        lines = tuple(ConsentAnswer.model_validate(dict(line)) for line in consent)
        return cls(**_shown(profile), consent=lines, exported_at=datetime.now(UTC))


def _shown(profile: Profile) -> dict[str, Any]:
    return {
        "subscriber_id": profile.subscriber_id,
        "version": profile.version,
        "language": profile.language,
        "categories": profile.preferences.categories,
        "severity_floor": profile.preferences.severity_floor,
        "contact_points": tuple(map(OwnPointAnswer.model_validate, profile.contact_points)),
        "places": tuple(map(OwnPlaceAnswer.model_validate, profile.places)),
        "created_at": profile.created_at,
    }


class Left(Answer):
    """Somebody was erased."""

    model_config = example(subscriber_id=_ID, erased=True)

    subscriber_id: UUID
    erased: Literal[True] = True
