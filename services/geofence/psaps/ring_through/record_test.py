"""Record how a number of a centre rang when it was tried."""

from datetime import timedelta

from services.geofence.psaps import store as directory
from services.geofence.psaps.directory import town_of
from services.geofence.psaps.ring_through import store
from services.geofence.psaps.ring_through.ringing import RingTest, number_since
from shared.db.session import Tx
from shared.security.principal import Principal
from shared.web.errors import forbidden, not_found, unprocessable

# Clocks of testers may be ahead of ours.
SKEW = timedelta(minutes=1)


async def record_test(
    tx: Tx, test: RingTest, *, who: Principal, key: str, digest: bytes
) -> tuple[RingTest, bool]:
    """Keep a test once for its request key; return it and whether it is new.

    Raises:
        Problem: 404 for an unknown centre, 403 for one that does not serve the tester's town, 422
            for a moment ahead, a number it did not have then, or a key of another request.
    """
    periods = await directory.periods(tx, test.code)
    if not periods:
        raise not_found("The directory has no such code.")
    if test.tested_at > test.recorded_at + SKEW:
        raise unprocessable("in-future", "This moment is yet to come.", pointer="/tested_at")
    await _check_town(tx, test, who)
    if await store.insert_test(tx, test, by_town=who.town, key=key, digest=digest):
        since = number_since(periods, kind=test.kind, number=test.number, at=test.tested_at)
        if since is None:
            detail = "The centre had no such number of this kind at that moment."
            raise unprocessable("unknown-number", detail, pointer="/number")
        return test, True
    kept = await store.kept_with(tx, tested_by=test.tested_by, key=key)
    if kept is None or kept[1] != digest:
        raise unprocessable(
            "idempotency-key-reused", "This Idempotency-Key came with another request before."
        )
    return kept[0], False


async def _check_town(tx: Tx, test: RingTest, who: Principal) -> None:
    town = town_of(who)
    if town is None:
        return
    served = await directory.towns_at(tx, test.tested_at, towns=[town])
    if [one.code for one in served] != [test.code]:
        raise forbidden("other-town", "The centre did not serve your town at that moment.")
