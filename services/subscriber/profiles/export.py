"""Gives residents everything we hold of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.subscriber.consent.read_consent import read_consent
from services.subscriber.profiles.show import Profile, show
from services.subscriber.settings import Keys
from shared.db.session import Tx


@dataclass(frozen=True, slots=True)
class Export:
    """A profile and its history of consent."""

    profile: Profile
    consent: Sequence[Mapping[Any, Any]]


async def export(tx: Tx, subscriber_id: UUID, *, keys: Keys) -> Export:
    """Return a resident's profile and history, complete.

    Raises:
        Problem: 404 where there is no such resident any more.
    """
    profile = await show(tx, subscriber_id, keys=keys)
    return Export(profile, await read_consent(tx, subscriber_id))
