"""Events written in the transaction that made them true, and sent after it by the relay."""

from collections.abc import Sequence
from datetime import datetime

from shared.bus import store
from shared.bus.errors import BusError
from shared.bus.store import outbox_ddl
from shared.clock import Clock
from shared.db.session import Tx
from shared.events.base import Event
from shared.events.envelope import Outgoing, encode, tombstone
from shared.events.topics import Topic
from shared.security.signing import Signer
from shared.watch import traces

__all__ = ["REST", "ROSTERS", "Outbox", "outbox_ddl", "replay_outbox"]

# Two lanes, so that an import of two million rosters holds back no confirmation code.
ROSTERS, REST = 1, 2


class Outbox:
    """One service's outbox."""

    def __init__(self, service: str, *, signer: Signer | None, clock: Clock) -> None:
        self.service = service
        self._signer = signer
        self._clock = clock

    async def put(self, tx: Tx, *events: Event, lane: int | None = None) -> None:
        """Write events in order; without a lane, roster topics go to 1 and all else to 2.

        Raises:
            TooLarge: an event is larger than its topic takes.
        """
        now = self._clock.now()
        trace = traces.current()
        await self._write(
            tx,
            [
                encode(
                    event,
                    producer=self.service,
                    signer=self._signer,
                    now=now,
                    traceparent=trace,
                )
                for event in events
            ],
            lane,
        )

    async def put_tombstone(self, tx: Tx, topic: Topic, key: str) -> None:
        """Write the null record that lets a roster topic forget a key."""
        await self._write(tx, [tombstone(topic, key)], None)

    async def _write(self, tx: Tx, records: Sequence[Outgoing], lane: int | None) -> None:
        if not records:
            return
        await store.insert_rows(
            tx,
            self.service,
            lanes=[lane or (ROSTERS if one.topic.compacted else REST) for one in records],
            topics=[one.topic.name for one in records],
            keys=[one.key for one in records],
            values=[one.value for one in records],
        )


async def replay_outbox(tx: Tx, service: str, *, topic: Topic, since: datetime) -> int:
    """Have everything written for a topic since a moment published again; return how many rows.

    They go in id order behind the same fence as everything else.

    Raises:
        BusError: the topic is compacted: a newer row that is on its way while these are marked
            would be overtaken for good. Replay the roster instead, which locks its residents.
    """
    if topic.compacted:
        raise BusError(f"{topic.name} keeps the newest record of a key: replay the roster instead")
    return await store.waiting_again(tx, service, topic=topic.name, since=since)
