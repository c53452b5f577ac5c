"""Cancelling an alert: one person is enough, and whoever got it gets the correction."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.alerts import store
from services.dispatcher.alerts.content import build_correction, reference_of
from services.dispatcher.alerts.find_alert import find_alert
from services.dispatcher.alerts.states import MoveRefused, move
from services.dispatcher.delivery.broadcasts.stop_broadcast import BroadcastGone, stop_broadcast
from services.dispatcher.staff.people import is_fresh, name_of
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.events.alert import AlertEnded
from shared.security.principal import Principal
from shared.web.errors import conflict, unauthorized


async def cancel(
    tx: Tx,
    alert_id: UUID,
    *,
    reason: str,
    who: Principal,
    now: datetime,
    outbox: Outbox,
    authority: str,
) -> RowMapping:
    """Stop an alert and open its correction, from the texts every language has ready (M8).

    Raises:
        Problem: 401 for a stale sign-in, 404, 409 where there is nothing to stop.
    """
    row = await find_alert(tx, alert_id, lock=True)
    if not is_fresh(who, now=now):
        raise unauthorized("Sign in again: this needs a sign-in of the last five minutes.")
    try:
        state = move(row["state"], "cancel")
    except MoveRefused as refused:
        raise conflict("state", f"The alert is {refused.state}.") from None
    headlines = {language: one["headline"] for language, one in row["texts"].items()}
    correction = build_correction(headlines, authority=authority, reference=reference_of(alert_id))
    try:
        await stop_broadcast(
            tx, alert_id=alert_id, version=row["version"], reason=reason, correction=correction
        )
    except BroadcastGone:
        raise conflict("state", "The alert is over.") from None
    row = await store.mark_cancelled(tx, alert_id, state=state, who=name_of(who))
    await outbox.put(
        tx,
        AlertEnded(
            alert_id=alert_id,
            version=row["version"],
            reason="cancelled",
            ended_at=row["cancelled_at"],
        ),
    )
    return row
