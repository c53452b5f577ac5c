"""Approving an alert: a second person stands behind exactly these words, this area, this count."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.alerts import store
from services.dispatcher.alerts.approval import (
    DRIFT,
    AreaMoved,
    announcement,
    broadcast_of,
    check_approval,
)
from services.dispatcher.alerts.areas.blast_radius import BlastRadius
from services.dispatcher.alerts.areas.verified_area import Area
from services.dispatcher.alerts.states import move
from services.dispatcher.delivery.broadcasts.open_broadcast import open_broadcast
from services.dispatcher.staff.people import name_of
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.security.principal import Principal
from shared.web.errors import conflict


async def approve(
    tx: Tx,
    alert_id: UUID,
    *,
    digest: str,
    count: int,
    nobody_yet: bool,
    within: BlastRadius,
    area: Area,
    who: Principal,
    now: datetime,
    outbox: Outbox,
) -> RowMapping:
    """Approve an alert: its state, its broadcast and its announcement in one transaction.

    `area` is what the geofence answers now.

    Raises:
        Problem: as check_approval; 409 with nobody in the area.
        AreaMoved: its layers changed since it was shown, or its count moved by more than a tenth.
    """
    row = await check_approval(
        tx, alert_id, digest=digest, count=count, within=within, who=who, now=now
    )
    if area.digest != row["area_digest"]:
        raise AreaMoved("area-changed", area)
    if abs(area.people - count) > DRIFT * max(count, 1):
        raise AreaMoved("estimate-drifted", area)
    within.check(who, km2=area.km2, people=area.people)
    if area.people == 0 and not nobody_yet:
        detail = 'Nobody is in the area; approve with "nobody_yet": true to warn who comes.'
        raise conflict("no-recipients", detail)
    state = move(row["state"], "approve")
    # Where people are, losing all of them is never what was approved.
    none_yet = nobody_yet and area.people == 0
    row = await store.mark_approved(
        tx, alert_id, state=state, who=name_of(who), nobody_yet=none_yet
    )
    await open_broadcast(tx, broadcast_of(row))
    await outbox.put(tx, announcement(row))
    return row
