"""Links that let residents manage their own profile: made for a right code, good for a day."""

from typing import ClassVar
from uuid import UUID

from fastapi import Request

from shared.security.links import LinkInvalid, LinkTokens
from shared.security.principal import Principal
from shared.web.auth import Scheme, bearer
from shared.web.errors import unauthorized

PURPOSE = "manage"
LIFETIME_S = 24 * 3600
ROLE = "resident"


def manage_link(links: LinkTokens, subscriber_id: UUID) -> str:
    """Make the token with which a resident manages their own profile."""
    return links.make(PURPOSE, {"subscriber": str(subscriber_id)})


class ResidentLinks:
    """Knows residents by the token in `Authorization: Bearer`."""

    scheme: ClassVar[Scheme] = Scheme("resident", {"type": "http", "scheme": "bearer"})

    def __init__(self, links: LinkTokens) -> None:
        self._links = links

    async def __call__(self, request: Request) -> Principal | None:
        """Return the resident, or None when there is no bearer token.

        Raises:
            Problem: 401 for one that is forged, of another purpose or too old.
        """
        token = bearer(request)
        if token is None:
            return None
        try:
            payload = self._links.read(PURPOSE, token, max_age_s=LIFETIME_S)
        except LinkInvalid:
            raise unauthorized("The link is not valid any more: ask for a new code.") from None
        return Principal(
            subject=str(payload.get("subscriber", "")),
            kind="resident",
            roles=frozenset({ROLE}),
            town="*",
        )
