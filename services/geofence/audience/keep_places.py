"""Keep the place tables: rows, next offsets and late joiners in one transaction."""

from collections.abc import Sequence

from services.geofence.audience.late_joiners import Areas, late_joiners
from services.geofence.index.change import Change, change_of
from services.geofence.index.settle_places import settle_places
from shared.bus.message import Message
from shared.bus.outbox import Outbox
from shared.db.session import Tx
from shared.events.envelope import Poison
from shared.events.subscriber import PlaceChanged
from shared.watch.failpoints import fp


async def keep_places(
    tx: Tx, messages: Sequence[Message], *, topic_id: str, areas: Areas, outbox: Outbox
) -> None:
    """Write what changed, and put whoever comes into a live alert into the outbox.

    A change that was appended after an alert was registered sees that alert here: its
    transaction began after the record was read, and so after the registration committed.

    Raises:
        Poison: a null record whose key is no resident.
    """
    changes = [_change(message) for message in messages]
    offsets = {message.partition: message.offset + 1 for message in messages}
    news = await settle_places(tx, changes, topic_id=topic_id, offsets=offsets)
    chunks = await late_joiners(tx, news, areas=areas)
    if chunks:
        await outbox.put(tx, *chunks)
    fp("geofence.before_places_commit")


def _change(message: Message) -> Change:
    event = message.event
    if event is not None and not isinstance(event, PlaceChanged):
        raise Poison("event-of-another-topic")
    try:
        return change_of(message.key, event)
    except ValueError:
        raise Poison("key-is-no-resident") from None
