"""End a centre and give all its towns to another, at one moment and in one transaction."""

from datetime import datetime

from services.geofence.psaps import store
from services.geofence.psaps.directory import Period, Served, require_state, town_names
from shared.db.session import Tx
from shared.security.principal import Principal
from shared.web.errors import conflict, not_found, unprocessable


async def consolidate(
    tx: Tx, *, code: str, into: str, valid_from: datetime, who: Principal
) -> list[Served]:
    """End a centre at a moment; from then on its towns belong to another. Return these towns.

    Raises:
        Problem: 403 for staff of one town, 404 for an unknown centre, 409 where either is not in
            force then or the first one has later records, 422 for an unknown other one.
    """
    require_state(who)
    await store.lock(tx)
    known = await store.periods(tx, code)
    if not known:
        raise not_found("The directory has no such code.")
    others = await store.periods(tx, into)
    if not others or into == code:
        raise unprocessable(
            "unknown-psap", "Name another centre of the directory.", pointer="/into"
        )
    ending, taking = _holding(known, valid_from), _holding(others, valid_from)
    if ending is None or ending.ended or taking is None or taking.ended:
        raise conflict("psap-not-in-force", "Both centres must be in force at that moment.")
    if any(one.valid_from > valid_from for one in known):
        raise conflict("later-records", "The centre has records of a later moment.")
    towns = [one.town for one in await store.towns_at(tx, valid_from, codes=[code])]
    await store.insert_record(
        tx,
        code=code,
        valid_from=valid_from,
        entry=ending.entry,
        who=who.subject,
        ended=True,
        consolidated_into=into,
    )
    await store.insert_towns(tx, towns=towns, code=into, valid_from=valid_from, who=who.subject)
    left = [town for town, _ in await store.orphans(tx)]
    if left:
        raise conflict(
            "towns-left", f"There would be no centre at some time for {town_names(left)}."
        )
    return await store.towns_at(tx, valid_from, towns=towns)


def _holding(periods: list[Period], at: datetime) -> Period | None:
    return next((one for one in periods if one.holds(at)), None)
