"""Says which published rows no unread record covers any more, for the sweeper of pending rows."""

import asyncio
from datetime import UTC, datetime

from shared.bus.kafka.bus import Bus
from shared.bus.kafka.fetch import oldest_unread_ms
from shared.events.topics import Topic


async def published_before(bus: Bus, topic: Topic, group: str, *, asked_at: datetime) -> datetime:
    """Return the moment before which nothing published to the topic is still to be read.

    A row that was published before it and is still pending has no record left: it was read and
    given back, or the topic lost it. `asked_at` is the database's time, taken before the call:
    it is the answer when the group has nothing left to read, when the topic lost the offsets
    the group stood at, and for a topic that is gone.

    Raises:
        BusUnavailable: no broker answered; sweep nothing now.
    """
    async with asyncio.timeout(bus.timeout_s * 2):
        oldest = await oldest_unread_ms(bus, topic, group)
    if oldest is None:
        return asked_at
    return min(asked_at, datetime.fromtimestamp(oldest / 1000, UTC))
