"""Bearer tokens of staff and services: ES256 or RS256 by issuer, keys pinned, claims required."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.clock import Clock, SystemClock
from shared.security.principal import Principal

AUDIENCE = "ct-alert"
STAFF_ROLES = frozenset({"manager", "admin", "viewer"})
SERVICE_ROLES = frozenset({"service"})
LONGEST_LIFE_S = 24 * 3600

_TYPE = "at+jwt"
_LONGEST = 4096
_LEEWAY_S = 5
_REQUIRED = ("iss", "sub", "aud", "iat", "exp", "jti")


class TokenInvalid(Exception):
    """A token that proves nothing; the reason is for our log, never for the caller."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody whose tokens we take: one algorithm, and only these keys (by `kid`)."""

    name: str
    kind: Literal["staff", "service"]
    algorithm: Literal["ES256", "RS256"]
    keys: Mapping[str, EllipticCurvePublicKey | RSAPublicKey]
    audience: str = AUDIENCE


class TokenIssuer:
    """Makes tokens with one private key: the embedded default's, or a service's own."""

    def __init__(
        self, private_pem: str, *, issuer: str, key_id: str, clock: Clock | None = None
    ) -> None:
        self.issuer = issuer
        self._private = private_pem
        self._key_id = key_id
        self._clock = clock or SystemClock()

    def issue(
        self,
        *,
        subject: str,
        roles: Iterable[str],
        town: str = "*",
        audience: str = AUDIENCE,
        lifetime_s: int = 900,
        issuer: str | None = None,
        auth_time: datetime | None = None,
    ) -> str:
        """Make a token for one subject; lifetime in seconds."""
        now = self._clock.now()
        claims = {
            "iss": issuer or self.issuer,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "exp": now + timedelta(seconds=lifetime_s),
            "auth_time": int((auth_time or now).timestamp()),
            "jti": secrets.token_hex(16),
            "roles": sorted(roles),
            "town": town,
        }
        headers = {"kid": self._key_id, "typ": _TYPE}
        return jwt.encode(claims, self._private, algorithm="ES256", headers=headers)


class TokenVerifier:
    """Takes only tokens of known issuers, by their pinned keys and their one algorithm."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}

    def verify(self, token: str) -> Principal:
        """Return who the token speaks for.

        Raises:
            TokenInvalid: anything about it is not exactly as it must be.
        """
        if len(token) > _LONGEST:
            raise TokenInvalid("too long")
        try:
            header = jwt.get_unverified_header(token)
            unproved = jwt.decode(token, options={"verify_signature": False})
            issuer = self._issuer(header, unproved)
            claims = jwt.decode(
                token,
                key=self._key(issuer, header),
                algorithms=[issuer.algorithm],
                audience=issuer.audience,
                issuer=issuer.name,
                leeway=_LEEWAY_S,
                options={"require": list(_REQUIRED), "strict_aud": True},
            )
            return _principal(issuer, claims)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenInvalid(type(error).__name__) from None

    def _issuer(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> Issuer:
        if "crit" in header or str(header.get("typ")).lower() != _TYPE:
            raise TokenInvalid("critical header or wrong type")
        issuer = self._issuers.get(claims.get("iss", ""))
        if issuer is None or header.get("alg") != issuer.algorithm:
            raise TokenInvalid("unknown issuer or another algorithm than its own")
        return issuer

    def _key(
        self, issuer: Issuer, header: Mapping[str, Any]
    ) -> EllipticCurvePublicKey | RSAPublicKey:
        # Only the pinned set: jku, x5u and jwk of the header are never looked at.
        key = issuer.keys.get(header.get("kid", ""))
        if key is None:
            raise TokenInvalid("unknown key")
        return key


def _principal(issuer: Issuer, claims: Mapping[str, Any]) -> Principal:
    roles, town, auth_time = claims.get("roles"), claims.get("town"), claims.get("auth_time")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise TokenInvalid("no roles")
    if not isinstance(town, str) or not town:
        raise TokenInvalid("no town")
    # Drafts and approvals are told apart by it: nobody's name would be everybody's.
    if not claims["sub"].strip():
        raise TokenInvalid("no subject")
    if not isinstance(auth_time, int) or isinstance(auth_time, bool) or auth_time < 0:
        raise TokenInvalid("no time of authentication")
    if claims["exp"] - claims["iat"] > LONGEST_LIFE_S:
        raise TokenInvalid("lives too long")
    allowed = STAFF_ROLES if issuer.kind == "staff" else SERVICE_ROLES
    return Principal(
        subject=claims["sub"],
        kind=issuer.kind,
        roles=frozenset(roles) & allowed,
        town=town,
        auth_time=datetime.fromtimestamp(min(auth_time, claims["exp"]), UTC),
    )
