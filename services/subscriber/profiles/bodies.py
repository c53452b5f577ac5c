"""The bodies of this room's HTTP interface: what residents send, read strictly, and get back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.subscriber.entries.email import read_email
from services.subscriber.entries.phone import read_phone
from services.subscriber.entries.refusal import Refusal
from services.subscriber.entries.wishes import (
    Category,
    Severity,
    check_point,
    read_label,
    read_language,
)
from services.subscriber.roster.resident import (
    MOST_CONTACTS,
    MOST_PLACES,
    Channel,
    NewContact,
    NewPlace,
)
from shared.web.models import StrictModel, example

T = TypeVar("T")

# How far a caller's clock may run before ours.
CLOCK_SKEW = timedelta(minutes=2)


def _told(read: Callable[..., T], *raw: Any) -> T:
    try:
        return read(*raw)
    except Refusal as error:
        raise PydanticCustomError(error.code, error.sentence) from None


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("duplicate", "Nothing may be listed twice.")
    return values


Text = Annotated[str, StringConstraints(max_length=400)]
Language = Annotated[Text, AfterValidator(lambda raw: _told(read_language, raw))]
Label = Annotated[Text, AfterValidator(lambda raw: _told(read_label, raw))]
Contact = Annotated[int, Field(ge=0, lt=1000)] | UUID
Categories = Annotated[tuple[Category, ...], Field(max_length=12), AfterValidator(_unique)]

_POINT: dict[str, Any] = {"channel": "sms", "address": "+1 860 555 0123"}
_PLACE: dict[str, Any] = {"label": "home", "lon": -72.6734, "lat": 41.7658}


class ContactBody(StrictModel):
    """A contact point: a telephone number for sms or voice, or an e-mail address."""

    model_config = example(**_POINT)

    channel: Channel
    address: Text

    @field_validator("address")
    @classmethod
    def _read(cls, raw: str, info: ValidationInfo) -> str:
        channel = info.data.get("channel")
        if channel is None:
            return raw
        return _told(read_email if channel == "email" else read_phone, raw)

    def record(self) -> NewContact:
        """Return it as the roster takes it: not proved yet."""
        return NewContact(self.channel, self.address)


class PlaceBody(StrictModel):
    """A place to be warned for: degrees WGS 84, uncertainty in metres."""

    model_config = example(**_PLACE)

    label: Label = ""
    lon: float
    lat: float
    uncertainty_m: float = Field(default=0.0, ge=0, le=20_000)

    @model_validator(mode="after")
    def _lies_here(self) -> Self:
        _told(check_point, self.lon, self.lat)
        return self

    def record(self) -> NewPlace:
        """Return it as the roster takes it."""
        return NewPlace(self.lon, self.lat, self.label, self.uncertainty_m)


class ConsentBody(StrictModel):
    """That a person agreed, to which words, and when if not now."""

    model_config = example(given=True, wording="2026-01")

    given: Literal[True]
    wording: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
    at: AwareDatetime | None = None

    @field_validator("at")
    @classmethod
    def _not_in_future(cls, at: datetime | None) -> datetime | None:
        if at is not None and at > datetime.now(UTC) + CLOCK_SKEW:
            raise PydanticCustomError("in-the-future", "Consent cannot be given in the future.")
        return at


class SignUpBody(StrictModel):
    """A new resident."""

    model_config = example(
        language="en",
        consent={"given": True, "wording": "2026-01"},
        contact_points=[_POINT, {"channel": "email", "address": "resident@example.com"}],
        places=[_PLACE],
        categories=["Met", "Safety"],
        severity_floor="Moderate",
    )

    language: Language
    consent: ConsentBody
    contact_points: tuple[ContactBody, ...] = Field(min_length=1, max_length=MOST_CONTACTS)
    places: tuple[PlaceBody, ...] = Field(min_length=1, max_length=MOST_PLACES)
    categories: Categories = ()
    severity_floor: Severity = "Unknown"

    @field_validator("contact_points")
    @classmethod
    def _each_once(cls, points: tuple[ContactBody, ...]) -> tuple[ContactBody, ...]:
        _unique(tuple((point.channel, point.address) for point in points))
        return points


class ConfirmBody(StrictModel):
    """A code, and the contact point it was sent to: its number in the sign-up, or its id."""

    model_config = example(contact=0, code="123456")

    contact: Contact
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class ResendBody(StrictModel):
    """The contact point that wants a new code."""

    model_config = example(contact=0)

    contact: Contact


class ChangeBody(StrictModel):
    """What to change; what is left out stays. `order` names every contact point once."""

    model_config = example(language="es", severity_floor="Severe")

    language: Language | None = None
    categories: Categories | None = None
    severity_floor: Severity | None = None
    order: Annotated[tuple[UUID, ...], Field(max_length=MOST_CONTACTS)] | None = None


class ReceiveBody(StrictModel):
    """Whether alerts shall go to a contact point: false is STOP, true takes it back."""

    model_config = example(receive=False)

    receive: bool
