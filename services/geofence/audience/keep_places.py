"""Keep the place tables: rows, next offsets and late joiners in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from services.geofence.audience import store
from services.geofence.audience.late_joiners import Areas, Where, late_joiners
from services.geofence.audience.leavers.keep_left import keep_left
from services.geofence.index.change import Change, change_of
from services.geofence.index.settle_places import settle_places
from shared.bus.message import Message
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.events.envelope import Poison
from shared.events.subscriber import PlaceChanged
from shared.watch.failpoints import fp


async def keep_places(
    tx: Tx,
    messages: Sequence[Message],
    *,
    topic_id: str,
    areas: Areas,
    outbox: Outbox,
    certain: bool = True,
) -> None:
    """Write what changed, and put whoever comes into a live alert or leaves it into the outbox.

    Offsets are written only of records that are certain to be of the topic of this identity;
    without them an index reads more than it must, with wrong ones less.

    A change that was appended after an alert was registered sees that alert here: its
    transaction began after the record was read, and so after the registration committed. Of one
    that does not see it, the alert sees what was left: it goes live behind the same gate.

    Raises:
        Poison: a null record whose key is no resident.
    """
    changes = [_change(message) for message in messages]
    offsets = {message.partition: message.offset + 1 for message in messages if certain}
    dated = [(one, _happened_at(message)) for one, message in zip(changes, messages, strict=True)]
    steps = await settle_places(tx, dated, topic_id=topic_id, offsets=offsets)
    await keep_left(tx, steps, erased={one.subscriber_id for one in changes if one.erased})
    # Only now, behind the gate.
    live = await store.live_alerts(tx)
    areas.keep_only(live)
    lies = _where(messages, changes) if certain else {}
    events = await late_joiners(tx, steps, live=live, lies=lies, topic_id=topic_id, areas=areas)
    if events:
        await outbox.put(tx, *events)
    fp("geofence.before_places_commit")


def _where(messages: Sequence[Message], changes: Sequence[Change]) -> Where:
    """Return where each change lies, the same one twice at its first place."""
    lies: Where = {}
    for message, change in zip(messages, changes, strict=True):
        lies.setdefault((change.subscriber_id, change.version), (message.partition, message.offset))
    return lies


def _happened_at(message: Message) -> datetime:
    """Return when a change happened: however late it is read, that is when somebody left."""
    return message.sent_at if message.envelope is None else message.envelope.occurred_at


def _change(message: Message) -> Change:
    event = message.event
    if event is not None and not isinstance(event, PlaceChanged):
        raise Poison("event-of-another-topic")
    try:
        return change_of(message.key, event)
    except ValueError:
        raise Poison("key-is-no-resident") from None
