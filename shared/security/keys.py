"""The keyring of one service: read from its file, and refused when a key could be guessed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from shared.security.encoding import from_text
from shared.security.keyfiles import make_keyrings
from shared.security.links import LinkTokens
from shared.security.sealing import AddressHasher, Sealer
from shared.security.signing import Signer, Verifier
from shared.security.tokens import Issuer, TokenIssuer, TokenVerifier

__all__ = ["KeyRing", "KeyRingInvalid", "TokenKeys", "make_keyrings"]

_KEY_BYTES = 32


class KeyRingInvalid(ValueError):
    """A keyring file that is missing, malformed, open to others, or holds a weak key."""


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """What proves bearer tokens and, where this service may, what makes them."""

    verifier: TokenVerifier
    issuer: TokenIssuer | None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key that one service may hold; what it may not hold is None."""

    service: str
    sealer: Sealer | None
    hasher: AddressHasher | None
    signer: Signer | None
    verifier: Verifier
    tokens: TokenKeys
    links: LinkTokens | None

    @classmethod
    def load(cls, path: Path | str) -> "KeyRing":
        """Read a keyring file, which only its owner may read.

        Raises:
            KeyRingInvalid: the file is missing, malformed or readable by others, or a key in it
                is shorter than 256 bits or a placeholder.
        """
        path = Path(path)
        try:
            if path.stat().st_mode & 0o007:
                raise KeyRingInvalid(f"{path} may be read by everybody: chmod 600 it")
            return _read(orjson.loads(path.read_bytes()))
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, KeyRingInvalid):
                raise
            raise KeyRingInvalid(f"{path} is no keyring: {type(error).__name__}") from None

    def __repr__(self) -> str:
        return f"KeyRing(service={self.service!r})"


def _read(file: Mapping[str, Any]) -> KeyRing:
    sealing, hashing = file.get("sealing"), file.get("hashing")
    signing, issuing, links = file.get("signing"), file.get("issuing"), file.get("links")
    return KeyRing(
        service=file["service"],
        sealer=Sealer(_keys(sealing["keys"]), current=sealing["current"]) if sealing else None,
        hasher=(
            AddressHasher(_keys(hashing["keys"]), current=hashing["current"]) if hashing else None
        ),
        signer=(
            Signer(_key(signing["private"]), producer=file["service"], key_id=signing["key_id"])
            if signing
            else None
        ),
        verifier=Verifier(
            {producer: _keys(keys) for producer, keys in file.get("producers", {}).items()}
        ),
        tokens=TokenKeys(
            verifier=TokenVerifier(_issuer(name, one) for name, one in file["issuers"].items()),
            issuer=(
                TokenIssuer(issuing["private"], issuer=issuing["issuer"], key_id=issuing["key_id"])
                if issuing
                else None
            ),
        ),
        links=LinkTokens([_key(text) for text in links]) if links else None,
    )


def _issuer(name: str, one: Mapping[str, Any]) -> Issuer:
    keys = {key_id: _public(pem) for key_id, pem in one["keys"].items()}
    return Issuer(
        name=name,
        kind=one["kind"],
        algorithm=one["algorithm"],
        keys=keys,
        audience=one["audience"],
    )


def _public(pem: str) -> EllipticCurvePublicKey | RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    if isinstance(key, RSAPublicKey) and key.key_size < 2048:
        raise KeyRingInvalid("an RSA key shorter than 2048 bits")
    if not isinstance(key, EllipticCurvePublicKey | RSAPublicKey):
        raise KeyRingInvalid("a token key that is neither EC nor RSA")
    return key


def _keys(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {key_id: _key(text) for key_id, text in texts.items()}


def _key(text: str) -> bytes:
    key = from_text(text)
    # Random 32 bytes hold fewer than 16 different ones about once in 10**13 keys.
    if len(key) != _KEY_BYTES or len(set(key)) < 16 or key.isascii():
        raise KeyRingInvalid("a key that is no 256 random bits")
    return key
