"""Refuse an alert: nobody is warned by guesswork, and the dispatcher hears of it."""

from services.geofence.audience import store
from services.geofence.audience.run import Publish
from shared.db.session import Database
from shared.events.alert import AlertApproved
from shared.events.audience import AudienceRefused
from shared.events.envelope import Poison
from shared.watch.logs import get_logger
from shared.watch.metrics import pages

log = get_logger(__name__)


async def refuse(
    alert: AlertApproved, reason: str, *, database: Database, publish: Publish, detail: str = ""
) -> Poison:
    """Say loudly that an alert is not resolved, and return what is to be raised.

    A log, a count, a note on the alert where it is registered, a signed word to the dispatcher,
    which holds the alert and pages the person on duty, and, by what is raised, a dead letter.
    """
    log.critical(
        "audience.refused",
        alert_id=str(alert.alert_id),
        version=alert.version,
        reason=reason,
        detail=detail,
    )
    pages.labels("geofence", reason).inc()
    refused = AudienceRefused(
        alert_id=alert.alert_id,
        version=alert.version,
        area_digest=alert.area_digest,
        reason=reason,
    )
    # Noted first, so that what is held never passes for cover; told also when it cannot be noted.
    try:
        async with database.transaction() as tx:
            await store.note_refused(tx, alert, digest=alert.area_digest, reason=reason)
    finally:
        await publish([refused])
    return Poison(reason, detail)
