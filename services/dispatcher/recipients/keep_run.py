"""Keeps what the geofence says of a run it has published whole."""

from services.dispatcher.recipients import store, store_runs
from shared.bus.errors import NotYet
from shared.db.session import Tx
from shared.events.audience import AudienceCompleted
from shared.events.envelope import Poison


async def keep_run(tx: Tx, run: AudienceCompleted) -> None:
    """Write a completed run of an alert's own area; the same one again changes nothing.

    Raises:
        NotYet: the broadcast has not come.
        Poison: the run looked at another area than the approved one: what it says of how many
            are inside must neither hold nor complete this alert.
    """
    cast = await store.hold_cast(tx, run.alert_id, run.version)
    if cast is None:
        raise NotYet(f"no broadcast {run.alert_id} version {run.version}")
    if cast.kind != "alert" or cast.area_digest != run.area_digest:
        raise Poison("area-of-another-alert")
    await store_runs.add_run(tx, run)
