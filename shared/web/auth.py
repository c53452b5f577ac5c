"""Who is asking and what they may: every route names its roles or says that it is public."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from shared.security.partner_keys import PARTNER_ROLES, prefix_of
from shared.security.principal import Principal
from shared.security.tokens import TokenInvalid, TokenVerifier
from shared.web.errors import Problem, forbidden, unauthorized

__all__ = [
    "Authenticator",
    "BearerJwt",
    "Guard",
    "PartnerKey",
    "Principal",
    "Scheme",
    "access",
    "bad_key",
    "bearer",
    "public",
    "require",
]


@dataclass(frozen=True, slots=True)
class Scheme:
    """A kind of credential for the OpenAPI document; `roles` None: all that no other gives."""

    name: str
    definition: Mapping[str, str]
    roles: frozenset[str] | None = None


class Authenticator(Protocol):
    """Knows one kind of credential."""

    scheme: ClassVar[Scheme]

    async def __call__(self, request: Request) -> Principal | None:
        """Return who the credential proves, or None when there is none of this kind.

        Raises:
            Problem: 401 when there is one and it is bad.
        """
        ...


class Guard:
    """Lets in whoever has one of the roles; as a dependency it gives the route its principal."""

    def __init__(self, roles: Sequence[str]) -> None:
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> Principal:
        """Return the principal of the request.

        Raises:
            Problem: 401 for nobody, 403 for somebody without any of the roles.
        """
        principal = await _authenticate(request)
        if principal is None:
            raise unauthorized()
        if not principal.roles & self.roles:
            raise forbidden()
        return principal


def require(*roles: str) -> Any:
    """Guard a route with roles, any of which is enough: `who: Principal = require("manager")`."""
    if not roles:
        raise ValueError("name the roles, or mark the route public")
    return Depends(Guard(roles))


async def _anybody() -> None:
    """Mark a route that anybody may call."""


# In a route's `dependencies=[public]`.
public: Any = Depends(_anybody)


class BearerJwt:
    """Tokens of staff and services in `Authorization: Bearer`."""

    scheme: ClassVar[Scheme] = Scheme(
        "token", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    )

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def __call__(self, request: Request) -> Principal | None:
        """Return who the token speaks for, or None when there is no token of this form."""
        token = bearer(request)
        if token is None or token.count(".") != 2 or not token.startswith("ey"):
            return None
        try:
            return self._verifier.verify(token)
        except TokenInvalid:
            raise unauthorized("The token is not valid.") from None


class PartnerKey(ABC):
    """Keys of partners in `X-Api-Key`; whose a key is, each service finds out in its own way."""

    scheme: ClassVar[Scheme] = Scheme(
        "partner", {"type": "apiKey", "in": "header", "name": "X-Api-Key"}, PARTNER_ROLES
    )

    async def __call__(self, request: Request) -> Principal | None:
        """Return the partner of the key, or None when the request has none.

        Raises:
            Problem: 401 when there are several, or one that is nobody's.
        """
        texts = request.headers.getlist("x-api-key")
        if not texts:
            return None
        if len(texts) != 1 or prefix_of(texts[0]) is None:
            raise bad_key()
        return await self.recognise(texts[0], caller=request.client.host if request.client else "")

    @abstractmethod
    async def recognise(self, key: str, *, caller: str) -> Principal:
        """Return the partner of a key that has the form of one; `caller` is who sent it, by IP.

        Raises:
            Problem: 401 when the key is nobody's.
        """


def bad_key() -> Problem:
    """Refuse a key; whether there was ever such a one is not said."""
    return unauthorized("The key is not valid.")


def bearer(request: Request) -> str | None:
    """Return the token of the Authorization header, or None."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def access(dependant: Dependant) -> frozenset[str] | None:
    """Return the roles a route lets in: an empty set for a public one, None if it names neither."""
    if isinstance(dependant.call, Guard):
        return dependant.call.roles
    if dependant.call is _anybody:
        return frozenset()
    for child in dependant.dependencies:
        roles = access(child)
        if roles is not None:
            return roles
    return None


async def _authenticate(request: Request) -> Principal | None:
    known: Principal | None = getattr(request.state, "principal", None)
    if known is not None:
        return known
    authenticators: Sequence[Authenticator] = request.app.state.authenticators
    for authenticator in authenticators:
        principal = await authenticator(request)
        if principal is not None:
            request.state.principal = principal
            return principal
    return None
