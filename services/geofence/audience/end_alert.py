"""End an alert version: nobody joins it late any more."""

from collections.abc import Sequence

from services.geofence.audience import store
from shared.bus.message import Message
from shared.db.session import Tx
from shared.events.alert import AlertEnded


async def end_alert(tx: Tx, messages: Sequence[Message]) -> None:
    """End alert versions, also those whose approval has not come yet."""
    for message in messages:
        event = message.event
        if isinstance(event, AlertEnded):
            await store.end(tx, alert_id=event.alert_id, version=event.version, reason=event.reason)
