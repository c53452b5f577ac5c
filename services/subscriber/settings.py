"""The subscriber service's settings, its keys, and the context its rooms' doors receive."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from pydantic import Field

from shared.bus.outbox import Outbox
from shared.db.session import Database
from shared.security.keys import KeyRing, KeyRingInvalid
from shared.security.links import LinkTokens
from shared.security.sealing import AddressHasher, Sealer
from shared.settings import Settings
from shared.web.idempotency import Idempotency
from shared.web.limits import Limits


class SubscriberSettings(Settings):
    """What the subscriber service reads from its environment; no secret has a default."""

    database_url: str = Field(validation_alias="CTALERT_SUBSCRIBER_DATABASE_URL")
    owner_database_url: str | None = Field(
        default=None, validation_alias="CTALERT_SUBSCRIBER_OWNER_DATABASE_URL"
    )
    port: int = Field(default=8081, ge=0, le=65535, validation_alias="CTALERT_SUBSCRIBER_PORT")
    keyring: Path = Field(validation_alias="CTALERT_SUBSCRIBER_KEYRING")
    # S21: a call costs more than a text, so codes for voice numbers are texted until this is set.
    voice_codes: bool = Field(default=False, validation_alias="CTALERT_SUBSCRIBER_VOICE_CODES")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that residents' data need: to seal, to hash and to sign links."""

    sealer: Sealer
    hasher: AddressHasher
    links: LinkTokens

    @classmethod
    def of(cls, ring: KeyRing) -> "Keys":
        """Take the keys out of the service's keyring.

        Raises:
            KeyRingInvalid: one of them is not in it.
        """
        if ring.sealer is None or ring.hasher is None or ring.links is None:
            raise KeyRingInvalid("the subscriber service needs sealing, hashing and link keys")
        return cls(sealer=ring.sealer, hasher=ring.hasher, links=ring.links)


@dataclass(frozen=True, slots=True)
class Context:
    """What one process hands to its rooms' doors."""

    settings: SubscriberSettings
    database: Database
    outbox: Outbox
    keys: Keys
    limits: Limits
    idempotency: Idempotency


def context_of(request: Request) -> Context:
    """Return the context that the assembly put on the application."""
    context: Context = request.app.state.context
    return context


Doors = Annotated[Context, Depends(context_of)]
