"""Let an approved alert go live, and tell who has left its area since it was approved."""

from dataclasses import dataclass
from uuid import UUID

from services.geofence.areas.area import Area
from services.geofence.audience import store
from services.geofence.audience.chunks import late_chunks
from services.geofence.audience.leavers.store import close_gate
from services.geofence.audience.leavers.take_left import take_left
from services.geofence.audience.store import LiveAlert, Registered, Sight
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.events.alert import AlertApproved


@dataclass(frozen=True, slots=True)
class GoneLive:
    """What became of registering an alert version, and if all who left before it are told."""

    registered: Registered
    knows_leavers: bool


async def go_live(
    tx: Tx,
    alert: AlertApproved,
    area: Area,
    *,
    run_id: UUID,
    since: Sight | None,
    outbox: Outbox,
    patience_s: float,
) -> GoneLive:
    """Register an alert version with a new run, and tell who has left since its approval.

    Who was inside at the approval and left before this is in no index any more. Changes kept
    before the gate closed are read here; those kept after it opens find the alert live. A warning
    waits `patience_s` at most for a keeper that stands in the gate: then who leaves by that
    keeper's change is not known, and this is to be done again.
    """
    # Before any row is held: a keeper in the gate may be waiting for a live alert's row.
    closed = await close_gate(tx, within_s=patience_s)
    registered = await store.register(
        tx,
        alert_id=alert.alert_id,
        version=alert.version,
        status=alert.status,
        wkb=area.wkb,
        digest=area.digest,
        approved_at=alert.approved_at,
        expires_at=alert.expires_at,
        since=since,
    )
    if registered.live and registered.same_area:
        await store.begin_run(tx, run_id=run_id, alert_id=alert.alert_id, version=alert.version)
        await _tell_leavers(tx, alert, area, outbox=outbox)
    return GoneLive(registered, closed)


async def _tell_leavers(tx: Tx, alert: AlertApproved, area: Area, *, outbox: Outbox) -> None:
    inside, around = await take_left(tx, approved_at=alert.approved_at, area=area.geometry)
    if not inside | around:
        return
    live = LiveAlert(alert.alert_id, alert.version, area.digest)
    new = await store.add_late_joiners(tx, live, inside | around)
    await outbox.put(
        tx,
        *late_chunks(
            inside & new,
            around & new,
            alert_id=alert.alert_id,
            version=alert.version,
            digest=area.digest,
        ),
    )
