"""Refuses requests for codes that come too often."""

from collections.abc import Iterable

from services.subscriber.codes.brakes import brakes_for
from shared.security.sealing import AddressHasher
from shared.web.limits import Limits


async def slow_down(
    limits: Limits, addresses: Iterable[str], *, client: str | None, hasher: AddressHasher
) -> None:
    """Count a request for codes to these addresses, committed at once whatever becomes of it.

    Raises:
        Problem: 429 with Retry-After.
    """
    for brake in brakes_for(addresses, client=client, hasher=hasher):
        await limits.hit(None, brake.key, limit=brake.limit, per_s=brake.per_s)
