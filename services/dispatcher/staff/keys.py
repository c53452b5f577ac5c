"""A partner's API key: 256 random bits, looked up by a prefix, kept as a hash only."""

import hashlib
import secrets
from dataclasses import dataclass
from hmac import compare_digest

_PREFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: shown once, kept as prefix and hash."""

    text: str
    prefix: str
    digest: bytes


def make_key() -> NewKey:
    """Make a key of 256 random bits."""
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(12))
    text = f"ctp_{prefix}_{secrets.token_urlsafe(32)}"
    return NewKey(text, prefix, hash_key(text))


def hash_key(text: str) -> bytes:
    """Hash a key; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(text.encode()).digest()


def is_key(text: str, digest: bytes) -> bool:
    """Tell whether the text is the key behind the hash, in constant time."""
    return compare_digest(hash_key(text), digest)
