"""Tokens in links: who may manage or leave, for one purpose and a limited time."""

import hashlib
from collections.abc import Sequence
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer

_LONGEST = 1024


class LinkInvalid(Exception):
    """A link token that is forged, of another purpose, or too old."""


class LinkTokens:
    """Signs small payloads; `secrets` are oldest first, and all of them are still taken."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = list(secrets)

    def make(self, purpose: str, payload: dict[str, Any]) -> str:
        """Make a token for one purpose, such as "manage"."""
        return str(self._serializer(purpose).dumps(payload))

    def read(self, purpose: str, token: str, *, max_age_s: int) -> dict[str, Any]:
        """Return the payload of a token made for this purpose.

        Raises:
            LinkInvalid: it is forged, of another purpose, or older than `max_age_s` seconds.
        """
        if len(token) > _LONGEST:
            raise LinkInvalid("too long")
        try:
            payload = self._serializer(purpose).loads(token, max_age=max_age_s)
        except BadData as error:
            raise LinkInvalid(type(error).__name__) from None
        if not isinstance(payload, dict):
            raise LinkInvalid("not a payload of ours")
        return payload

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._secrets,
            salt=f"ct-alert.{purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
