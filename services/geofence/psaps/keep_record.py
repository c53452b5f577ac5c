"""Keep what is said of a centre from a moment on; what was said before stays."""

from datetime import datetime

from services.geofence.psaps import store
from services.geofence.psaps.directory import Entry, Period, require_state
from shared.db.session import Tx
from shared.security.principal import Principal
from shared.web.errors import conflict, not_found


async def keep_record(
    tx: Tx, *, code: str, valid_from: datetime, entry: Entry, who: Principal, new: bool
) -> tuple[Period, bool]:
    """Add a dated record of a centre, a `new` one or one that is known; return it and whether
    it said anything new.

    A record of a moment that has one corrects it.

    Raises:
        Problem: 403 for staff of one town, 404 for an unknown centre, 409 for a known new one.
    """
    require_state(who)
    await store.lock(tx)
    known = await store.periods(tx, code)
    if new and known:
        raise conflict("psap-known", "The directory has this code; add a record to it.")
    if not new and not known:
        raise not_found("The directory has no such code.")
    same = next((one for one in known if one.valid_from == valid_from), None)
    if same and same.entry == entry and not same.ended:
        return same, False
    await store.insert_record(tx, code=code, valid_from=valid_from, entry=entry, who=who.subject)
    kept = await store.periods(tx, code)
    return next(one for one in kept if one.valid_from == valid_from), True
