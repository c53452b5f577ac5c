"""Asks for deliveries on the bus, after the transaction that made or freed them."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from services.dispatcher.delivery.broadcasts import store
from services.dispatcher.delivery.states import Request
from shared.bus.kafka import Bus
from shared.bus.kafka.producer import Producer
from shared.clock import Clock
from shared.db.session import ALL_TOWNS, Database
from shared.events.delivery import DeliveryRequested
from shared.events.envelope import Outgoing, encode
from shared.service import Part

# One send_many holds what Kafka takes within its timeout many times over.
_PIECE = 5_000


def delivery_group(channel: str, priority: str) -> str:
    """Return the consumer group of one channel and priority."""
    return f"dispatcher.{channel}.{priority}"


class Tool(Protocol):
    """Something several parts of a process share, closed by the last of them."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(self, *error: object) -> None: ...

    def stop(self) -> None:
        """Begin nothing more."""
        ...


class Using:
    """A part that keeps a tool open for as long as it runs."""

    def __init__(self, part: Part, tool: Tool) -> None:
        self.name = part.name
        self._part, self._tool = part, tool

    async def run(self, stop: asyncio.Event) -> None:
        """Run the part; the last one to end closes the tool."""
        async with self._tool:
            telling = asyncio.create_task(self._tell(stop))
            try:
                await self._part.run(stop)
            finally:
                telling.cancel()

    async def _tell(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._tool.stop()


class Requests:
    """Publishes requests; one producer, open as long as anybody uses it."""

    def __init__(self, bus: Bus, *, database: Database, clock: Clock) -> None:
        self._bus, self._database, self._clock = bus, database, clock
        self._producer: Producer | None = None
        self._users = 0

    async def __aenter__(self) -> Self:
        self._users += 1
        return self

    async def __aexit__(self, *error: object) -> None:
        self._users -= 1
        if self._users == 0 and self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.close()

    def stop(self) -> None:
        """Go on publishing: what is made before the end is still asked for."""

    async def publish(self, requests: Sequence[Request]) -> None:
        """Send the records and return when every replica has them.

        Raises:
            BusUnavailable: some may not have been sent; whoever asks again does no harm.
        """
        if self._producer is None:
            self._producer = self._bus.producer()
        now = self._clock.now()
        for start in range(0, len(requests), _PIECE):
            piece = requests[start : start + _PIECE]
            await self._producer.send_many([_record(one, now) for one in piece])

    async def publish_chunks(self, requests: Sequence[Request], chunks: Sequence[UUID]) -> None:
        """Send a chunk's records, then mark the chunk row, which is their outbox row.

        Raises:
            BusUnavailable: the row stays, and timers ask again within seconds.
        """
        await self.publish(requests)
        if chunks:
            async with self._database.transaction(town=ALL_TOWNS) as tx:
                await store.mark_published(tx, chunks)


def _record(one: Request, now: datetime) -> Outgoing:
    # Built from our own rows, so checking the fields again (twice the time) would find nothing.
    event = DeliveryRequested.model_construct(
        delivery_id=one.delivery_id,
        channel=one.channel,
        priority=one.priority,
        address_hash=one.address_hash.hex(),
    )
    return encode(event, producer="dispatcher", signer=None, now=now)
