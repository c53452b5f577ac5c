"""The rules of one-time codes: six digits, ten minutes, five tries, kept only as a keyed hash."""

import hmac
import secrets
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from shared.security.sealing import AddressHash, AddressHasher

DIGITS = 6
LIFETIME_S = 600
MOST_TRIES = 5

Outcome = Literal["right", "wrong", "too_many", "gone"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of trying a code; waiting helps after `retry_after_s` seconds, where it does."""

    outcome: Outcome
    tries_left: int = 0
    retry_after_s: float = 0.0


def new_code() -> str:
    """Draw a code from the system's randomness."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def hash_code(
    hasher: AddressHasher, code: str, *, subscriber_id: UUID, contact_id: UUID
) -> AddressHash:
    """Hash a code, bound to the resident and contact point it was sent for."""
    return hasher.hash(_bound(code, subscriber_id, contact_id))


def is_code(
    hasher: AddressHasher,
    code: str,
    stored: bytes,
    *,
    subscriber_id: UUID,
    contact_id: UUID,
) -> bool:
    """Say whether a code is the one stored, in a time that does not tell how nearly."""
    hashes = hasher.all_hashes(_bound(code, subscriber_id, contact_id))
    matches = [hmac.compare_digest(one.digest, stored) for one in hashes]
    return any(matches)


def _bound(code: str, subscriber_id: UUID, contact_id: UUID) -> str:
    # No address begins like this, so a code's hash never meets an address's.
    return f"code:{subscriber_id}:{contact_id}:{code}"
