"""Give towns to a centre from a moment on, so that each has exactly one before and after."""

from collections.abc import Sequence
from datetime import datetime

from services.geofence.psaps import store
from services.geofence.psaps.directory import Served, require_state, town_names
from shared.connecticut import town_by_geoid
from shared.db.session import Tx
from shared.security.principal import Principal
from shared.web.errors import Fault, Problem, conflict, not_found


async def serve_towns(
    tx: Tx, *, code: str, towns: Sequence[str], valid_from: datetime, who: Principal
) -> list[Served]:
    """Give towns (geoids) to a centre; return what holds for them from that moment on.

    Raises:
        Problem: 403 for staff of one town, 404 for an unknown centre, 409 where it is
            not there all that time, 422 for unknown towns or one named twice.
    """
    require_state(who)
    geoids = _read(towns)
    await store.lock(tx)
    if not await store.periods(tx, code):
        raise not_found("The directory has no such code.")
    before = {one.town: one for one in await store.towns_at(tx, valid_from, towns=geoids)}
    moving = [one for one in geoids if one not in before or before[one].code != code]
    await store.insert_towns(tx, towns=moving, code=code, valid_from=valid_from, who=who.subject)
    left = [town for town, of in await store.orphans(tx) if of == code]
    if left:
        raise conflict(
            "psap-not-in-force",
            f"{code} is not in force all the time that {town_names(left)} need it.",
        )
    return await store.towns_at(tx, valid_from, towns=geoids)


def _read(towns: Sequence[str]) -> list[str]:
    geoids: list[str] = []
    faults = []
    for number, given in enumerate(towns):
        town = town_by_geoid(given)
        if town is None:
            faults.append(Fault(f"/towns/{number}", "unknown-town"))
        elif town.geoid in geoids:
            faults.append(Fault(f"/towns/{number}", "duplicate"))
        else:
            geoids.append(town.geoid)
    if faults:
        raise Problem(
            422, faults[0].code, "Name each town of Connecticut once, by its geoid.", errors=faults
        )
    return geoids
