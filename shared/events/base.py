"""What every event is: an immutable record with a type, a version, a topic and a key."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from shared.events.topics import Topic

Channel = Literal["sms", "voice", "email"]
Priority = Literal["notice", "urgent", "routine", "exercise"]
# A keyed hash of an address or a digest of an area: 32 bytes in lower-case hex.
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
KeyId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Language = Annotated[str, StringConstraints(min_length=2, max_length=35)]
Sealed = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
Version = Annotated[int, Field(ge=1, le=2**63 - 1)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
EARLIEST_YEAR, LATEST_YEAR = 2020, 2099


def _plausible(moment: datetime) -> datetime:
    # 1970 is a forgotten clock and 9999 somebody's "never": neither is a time of ours.
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError("implausible time")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]


class Value(BaseModel):
    """A part of an event; unknown fields are ignored so that producers may be newer."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Event(Value):
    """Something that happened in one service and matters to another."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[str] = "1.0"
    SIGNED: ClassVar[bool] = False
    # The one service whose signature counts, for signed events.
    SIGNED_BY: ClassVar[str] = ""
    TOPIC: ClassVar[Topic]

    def topic(self) -> Topic:
        """Return the topic this event travels on."""
        return self.TOPIC

    def key(self) -> str:
        """Return the key that keeps events of one thing in order."""
        raise NotImplementedError
