"""Ed25519 signatures: one producer holds the private key, everybody else the public one."""

from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.security.encoding import from_text, to_text


class SignatureInvalid(Exception):
    """A signature that is wrong, missing, or by somebody we do not know."""


class Signer:
    """The private key of one producer."""

    def __init__(self, private: bytes, *, producer: str, key_id: str) -> None:
        self.producer = producer
        self.key_id = key_id
        self._key = Ed25519PrivateKey.from_private_bytes(private)

    def sign(self, data: bytes) -> str:
        """Sign bytes; base64url."""
        return to_text(self._key.sign(data))


class Verifier:
    """The public keys of all producers: producer → key id → 32 bytes."""

    def __init__(self, producers: Mapping[str, Mapping[str, bytes]]) -> None:
        self._keys = {
            (producer, key_id): Ed25519PublicKey.from_public_bytes(raw)
            for producer, keys in producers.items()
            for key_id, raw in keys.items()
        }

    def verify(self, *, producer: str, key_id: str, signature: str, data: bytes) -> None:
        """Return if the producer's key signed these bytes.

        Raises:
            SignatureInvalid: it did not, or the key is not one of that producer's.
        """
        key = self._keys.get((producer, key_id))
        if key is None:
            raise SignatureInvalid("no such key of that producer")
        try:
            key.verify(from_text(signature), data)
        except (InvalidSignature, ValueError):
            raise SignatureInvalid("the signature does not match") from None
