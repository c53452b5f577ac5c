"""Holds an alert that the geofence has refused: what is not under way is not sent."""

from services.dispatcher.recipients import store, store_runs
from services.dispatcher.settings import Page
from shared.bus.errors import NotYet
from shared.db.session import Tx
from shared.events.audience import AudienceRefused
from shared.events.envelope import Poison


async def hold_refused(tx: Tx, refused: AudienceRefused, *, page: Page) -> None:
    """Hold the broadcast and call a person to it, unless it was held or over before.

    Raises:
        NotYet: the broadcast has not come.
        Poison: what was refused had another area than the approved one.
    """
    alert_id, version = refused.alert_id, refused.version
    if await store_runs.hold_refused(
        tx,
        alert_id=alert_id,
        version=version,
        area_digest=refused.area_digest,
        reason=refused.reason,
    ):
        reason = f"alert {alert_id} is held: the geofence refused it, {refused.reason}"
        await page.within(tx, reason, key=f"hold:{alert_id}:refused")
        return
    cast = await store.hold_cast(tx, alert_id, version)
    if cast is None:
        raise NotYet(f"no broadcast {alert_id} version {version}")
    if cast.kind != "alert" or cast.area_digest != refused.area_digest:
        raise Poison("area-of-another-alert")
