"""Submitting a draft for somebody else's approval."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.alerts import store
from services.dispatcher.alerts.areas.hold import refuse_held
from services.dispatcher.alerts.areas.keep_area import keep_area
from services.dispatcher.alerts.areas.verified_area import Area, unverified
from services.dispatcher.alerts.find_alert import find_alert
from services.dispatcher.alerts.states import MoveRefused, move
from services.dispatcher.staff.people import name_of
from shared.db.session import Tx
from shared.security.principal import Principal
from shared.web.errors import conflict


async def submit(
    tx: Tx, alert_id: UUID, *, area: Area | None, who: Principal, now: datetime
) -> RowMapping:
    """Submit a draft, with the area where it had none yet.

    Raises:
        Problem: 404, 409 where the state forbids it, it has expired or is held, 503 without a
            verified area.
    """
    row = await find_alert(tx, alert_id, lock=True)
    try:
        state = move(row["state"], "submit")
    except MoveRefused as refused:
        raise conflict("state", f"The alert is {refused.state}.") from None
    if row["expires_at"] <= now:
        raise conflict("expired", "The alert has expired.")
    refuse_held(row)
    if area is not None:
        row = await keep_area(tx, row, area)
    if row["area_digest"] is None:
        raise unverified()
    return await store.mark_submitted(tx, alert_id, state=state, who=name_of(who))
