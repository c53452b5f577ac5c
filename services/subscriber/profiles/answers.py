"""What residents get back over this room's HTTP interface."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.subscriber.profiles.show import Profile
from services.subscriber.roster.resident import Channel

_SIGNED_UP: dict[str, Any] = {
    "subscriber_id": "0198f4e2-7c1d-7b3a-9c55-0c8f2f1f7a10",
    "message": "If these contact points are yours, each of them receives a code.",
}


class Answer(BaseModel):
    """What residents get back."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class SignedUp(Answer):
    """The same answer for everybody."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SIGNED_UP]})

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

    subscriber_id: UUID
    erased: Literal[True] = True
