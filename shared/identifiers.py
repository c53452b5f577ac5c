"""Identifiers: new ones in time order (UUIDv7), and ones derived from what they name (UUIDv8)."""

import hashlib
import secrets
import time
from uuid import UUID

_VARIANT = 0b10 << 62


def new_id() -> UUID:
    """Make a UUIDv7 (RFC 9562 §5.7), so that index pages fill in order."""
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    return UUID(
        int=(milliseconds & (2**48 - 1)) << 80
        | 0x7 << 76
        | (random >> 62) << 64
        | _VARIANT
        | (random & (2**62 - 1))
    )


def derive_id(*parts: str | int | bytes | UUID) -> UUID:
    """Derive one identifier from the parts: the same parts give the same one, anywhere.

    Each part goes in with its kind and length, so that ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        kind, raw = _encode(part)
        digest.update(kind + len(raw).to_bytes(4, "big") + raw)
    number = int.from_bytes(digest.digest()[:16], "big")
    number &= ~(0xF << 76) & ~(0b11 << 62)
    return UUID(int=number | 0x8 << 76 | _VARIANT)


def _encode(part: str | int | bytes | UUID) -> tuple[bytes, bytes]:
    match part:
        case str():
            return b"s", part.encode()
        case bytes():
            return b"b", part
        case UUID():
            return b"u", part.bytes
        case int():
            return b"i", str(part).encode()
