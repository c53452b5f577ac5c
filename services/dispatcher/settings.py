"""The dispatcher's settings, and the context its rooms' doors receive."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

from aiohttp import ClientSession
from fastapi import Depends, Request
from pydantic import BeforeValidator, Field

from shared.bus.kafka.bus import Bus
from shared.bus.outbox import Outbox
from shared.clock import Clock
from shared.db.session import Database, Tx
from shared.security.keys import KeyRing
from shared.settings import Secret, Settings, Url, read_secret
from shared.watch.health import Health
from shared.web.idempotency import Idempotency
from shared.web.limits import Limits

CHANNELS = ("sms", "voice", "email")
PRIORITIES = ("notice", "urgent", "routine", "exercise")
Channel = Literal["sms", "voice", "email"]


class DispatcherSettings(Settings):
    """What the dispatcher reads from its environment; no secret has a default."""

    database_url: str = Field(validation_alias="CTALERT_DISPATCHER_DATABASE_URL")
    owner_database_url: str | None = Field(
        None, validation_alias="CTALERT_DISPATCHER_OWNER_DATABASE_URL"
    )
    port: int = Field(8083, validation_alias="CTALERT_DISPATCHER_PORT")
    keyring: Path = Field(validation_alias="CTALERT_DISPATCHER_KEYRING")
    geofence_url: Url = Field("http://127.0.0.1:8082", validation_alias="CTALERT_GEOFENCE_URL")
    geofence_timeout_s: float = Field(10.0, gt=0, validation_alias="CTALERT_GEOFENCE_TIMEOUT_S")

    authority_name: str = Field(
        "CT Alert", min_length=2, max_length=40, validation_alias="CTALERT_AUTHORITY_NAME"
    )
    max_alerts_per_hour: int = Field(60, ge=1, validation_alias="CTALERT_MAX_ALERTS_PER_HOUR")
    max_drafts_per_minute: int = Field(60, ge=1, validation_alias="CTALERT_MAX_DRAFTS_PER_MINUTE")
    max_cap_per_minute: int = Field(120, ge=1, validation_alias="CTALERT_MAX_CAP_PER_MINUTE")
    # The largest town has 174 square kilometres, and nine in ten have fewer people than this.
    state_approval_km2: float = Field(500, gt=0, validation_alias="CTALERT_STATE_APPROVAL_KM2")
    state_approval_people: int = Field(
        50_000, ge=1, validation_alias="CTALERT_STATE_APPROVAL_PEOPLE"
    )
    duty_channel: Channel = Field("email", validation_alias="CTALERT_DUTY_CHANNEL")
    duty_address: str | None = Field(None, validation_alias="CTALERT_DUTY_ADDRESS")

    twilio_base_url: Url = Field(
        "https://api.twilio.com", validation_alias="CTALERT_TWILIO_BASE_URL"
    )
    twilio_account_sid: str | None = Field(None, validation_alias="CTALERT_TWILIO_ACCOUNT_SID")
    twilio_auth_token: Secret | None = Field(None, validation_alias="CTALERT_TWILIO_AUTH_TOKEN")
    sms_from: str | None = Field(None, validation_alias="CTALERT_SMS_FROM")
    voice_from: str | None = Field(None, validation_alias="CTALERT_VOICE_FROM")
    sms_slots: int = Field(64, ge=1, validation_alias="CTALERT_SMS_SLOTS")
    voice_slots: int = Field(16, ge=1, validation_alias="CTALERT_VOICE_SLOTS")
    email_slots: int = Field(32, ge=1, validation_alias="CTALERT_EMAIL_SLOTS")

    smtp_host: str | None = Field(None, validation_alias="CTALERT_SMTP_HOST")
    smtp_port: int = Field(587, validation_alias="CTALERT_SMTP_PORT")
    smtp_username: str | None = Field(None, validation_alias="CTALERT_SMTP_USERNAME")
    # A mail relay's password is not ours to choose, so only its reading is shared with secrets.
    smtp_password: Annotated[str | None, BeforeValidator(read_secret)] = Field(
        None, repr=False, validation_alias="CTALERT_SMTP_PASSWORD"
    )
    smtp_tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", validation_alias="CTALERT_SMTP_TLS"
    )
    mail_from: str | None = Field(None, validation_alias="CTALERT_MAIL_FROM")

    def slots(self, channel: str) -> int:
        """Return how many sends of a channel one process may have under way."""
        return {"sms": self.sms_slots, "voice": self.voice_slots, "email": self.email_slots}[
            channel
        ]


class Page(Protocol):
    """Calls the person on duty."""

    async def __call__(self, reason: str) -> None:
        """Call for a reason in a transaction of its own; never raises."""

    async def within(
        self, tx: Tx, reason: str, *, key: str | None = None, cause: str | None = None
    ) -> None:
        """Call in the transaction that makes the reason true, so that neither is without the other.

        `key` is what calls once in ten minutes, in the place of the reason's words. Of many keys
        with one `cause` the first few call each for itself, and then one for all the others.
        """


@dataclass(frozen=True, slots=True)
class Context:
    """What one process hands to its rooms' doors.

    A room's `api.py` has a module-level `router` (its handlers take `Doors`), its `consumers.py`
    `consumers(context, role) -> list[Part]`, its `timers.py` `timers(context) -> list[Part]`.
    """

    settings: DispatcherSettings
    database: Database
    bus: Bus
    outbox: Outbox
    keyring: KeyRing
    clock: Clock
    health: Health
    limits: Limits
    idempotency: Idempotency
    http: ClientSession
    page: Page


def context_of(request: Request) -> Context:
    """Return the context that the assembly put on the application."""
    context: Context = request.app.state.context
    return context


Doors = Annotated[Context, Depends(context_of)]
