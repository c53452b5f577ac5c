"""Let an approved alert go live, behind the gate of those who keep what is left."""

from dataclasses import dataclass
from uuid import UUID

from services.geofence.areas.area import Area
from services.geofence.audience import store
from services.geofence.audience.leavers.store import close_gate
from services.geofence.audience.store import Registered, Sight
from shared.db.session import Tx
from shared.events.alert import AlertApproved


@dataclass(frozen=True, slots=True)
class GoneLive:
    """What became of registering an alert version, and if all who left before it are known."""

    registered: Registered
    knows_leavers: bool


async def go_live(
    tx: Tx,
    alert: AlertApproved,
    area: Area,
    *,
    run_id: UUID,
    since: Sight | None,
    patience_s: float,
) -> GoneLive:
    """Register an alert version with a new run.

    Who was inside at the approval and left before this is in no index any more. What was kept
    before the gate closed can be read once this is committed; who keeps after it opens finds the
    alert live. A warning waits `patience_s` at most for a keeper that stands in the gate: then
    who leaves by that keeper's change is not known, and this is to be done again.
    """
    # Before any row is held: a keeper in the gate may be waiting for a live alert's row.
    closed = await close_gate(tx, within_s=patience_s)
    registered = await store.register(tx, alert, wkb=area.wkb, since=since)
    if registered.live and registered.same_area:
        await store.begin_run(tx, run_id=run_id, alert_id=alert.alert_id, version=alert.version)
    return GoneLive(registered, closed)
