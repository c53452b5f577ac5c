"""Giving an alert that nobody has submitted another area; who did it stays with the alert."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.alerts.areas import store
from services.dispatcher.alerts.areas.keep_area import keep_area
from services.dispatcher.alerts.areas.verified_area import Area
from services.dispatcher.alerts.find_alert import find_alert
from services.dispatcher.alerts.states import AlertState
from services.dispatcher.staff.people import name_of
from shared.db.session import Tx
from shared.security.principal import Principal
from shared.web.errors import conflict

OPEN = (AlertState.DRAFT, AlertState.RETURNED)


async def replace_area(
    tx: Tx,
    alert_id: UUID,
    *,
    request: Mapping[str, Any],
    area: Area,
    who: Principal,
    now: datetime,
) -> RowMapping:
    """Put a verified area in the place of the one a draft has, and end its hold.

    Raises:
        Problem: 404, 409 once it has been submitted or has expired.
    """
    row = await find_alert(tx, alert_id, lock=True)
    if row["state"] not in OPEN:
        raise conflict("state", f"The alert is {row['state']}.")
    if row["expires_at"] <= now:
        raise conflict("expired", "The alert has expired.")
    await store.request_area(tx, alert_id, request=request, who=name_of(who))
    return await keep_area(tx, row, area)
