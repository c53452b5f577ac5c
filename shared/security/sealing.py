"""Seals what nobody but the holders of the key may read, and hashes addresses with a key."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.security.encoding import from_text, to_text

_NONCE_BYTES = 12


class SealBroken(Exception):
    """A sealed value that is damaged, of another context, or of a key we do not hold."""


class Sealer:
    """AES-256-GCM with the newest key; opens what any known key sealed."""

    def __init__(self, keys: Mapping[str, bytes], *, current: str) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = current
        self._ciphers[current]  # a ring without its current key fails here, not at the first use

    def seal(self, plain: bytes, *, context: str) -> str:
        """Seal bytes for one context, such as "address": `key id.base64url(nonce ‖ text)`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, plain, context.encode())
        return f"{self._current}.{to_text(nonce + sealed)}"

    def unseal(self, token: str, *, context: str) -> bytes:
        """Open what was sealed for the same context.

        Raises:
            SealBroken: it is damaged, of another context, or of an unknown key.
        """
        key_id, _, text = token.partition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealBroken("sealed with a key we do not hold")
        try:
            raw = from_text(text)
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("the seal does not open in this context") from None


@dataclass(frozen=True, slots=True)
class AddressHash:
    """A keyed hash of an address (32 bytes) and the id of its key."""

    key_id: str
    digest: bytes


class AddressHasher:
    """HMAC-SHA-256 of addresses, so that equal addresses meet without being known."""

    def __init__(self, keys: Mapping[str, bytes], *, current: str) -> None:
        newest_first = [current, *sorted((k for k in keys if k != current), reverse=True)]
        self._keys = [(key_id, keys[key_id]) for key_id in newest_first]

    def hash(self, address: str) -> AddressHash:
        """Hash a normalised address (E.164, or a lower-case e-mail) with the newest key."""
        return _keyed(*self._keys[0], address)

    def all_hashes(self, address: str) -> list[AddressHash]:
        """Hash with every known key, newest first, so that rotation forgets no STOP."""
        return [_keyed(key_id, key, address) for key_id, key in self._keys]


def _keyed(key_id: str, key: bytes, address: str) -> AddressHash:
    return AddressHash(key_id, hmac.new(key, address.encode(), hashlib.sha256).digest())
