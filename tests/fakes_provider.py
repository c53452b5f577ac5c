"""A provider, and a bus for requests, that keep what they were given and do as they are told."""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from services.dispatcher.delivery.request import Requests
from services.dispatcher.delivery.states import Request
from services.dispatcher.providers.base import Accepted, Message, ProviderError
from shared.bus.kafka.bus import Bus
from shared.clock import SystemClock
from shared.db.session import Database


class FakeProvider:
    """Accepts whatever it is not told to refuse; its ledger is written before it answers."""

    can_look_up = True

    def __init__(self, channel: str = "sms", *, name: str = "fake") -> None:
        self.channel, self.name = channel, name
        self.ledger: list[Message] = []
        self.faults: deque[Exception] = deque()
        self.gate = asyncio.Event()
        self.gate.set()
        self.most_at_once = 0
        self.closed = False
        self._now = 0
        self._busier = asyncio.Event()

    async def busy(self, count: int) -> None:
        """Return once so many sends are or have been under way at once."""
        async with asyncio.timeout(10):
            while self.most_at_once < count:
                self._busier.clear()
                await self._busier.wait()

    async def more(self, *, within_s: float = 0.5) -> None:
        """Return once something more was handed over, or soon anyway."""
        self._busier.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._busier.wait()

    async def send(self, message: Message) -> Accepted:
        """Accept a message, or raise the next fault; wait where the gate is shut."""
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        self._busier.set()
        try:
            await self.gate.wait()
            if self.faults:
                raise self.faults.popleft()
            self.ledger.append(message)
            return Accepted(f"SID-{message.delivery_id}-{message.epoch}", "queued")
        finally:
            self._now -= 1

    async def look_up(
        self, message: Message, *, since: datetime, taken: Collection[str] = ()
    ) -> Accepted | None:
        """Find a message in the ledger."""
        for one in self.ledger:
            sid = f"SID-{one.delivery_id}-{one.epoch}"
            if one.address == message.address and sid not in taken:
                return Accepted(sid, "queued")
        return None

    async def close(self) -> None:
        """Remember to have been closed."""
        self.closed = True

    def sent(self) -> dict[UUID, int]:
        """Return how often each delivery was accepted."""
        counts: dict[UUID, int] = {}
        for one in self.ledger:
            counts[one.delivery_id] = counts.get(one.delivery_id, 0) + 1
        return counts


class FakeRequests(Requests):
    """Keeps requests instead of sending them; may be told that no broker answers."""

    def __init__(self, database: Database) -> None:
        super().__init__(Bus("127.0.0.1:1"), database=database, clock=SystemClock())
        self.asked: list[Request] = []
        self.fault: ProviderError | Exception | None = None

    async def publish(self, requests: Sequence[Request]) -> None:
        """Keep the requests."""
        if self.fault is not None:
            raise self.fault
        self.asked.extend(requests)

    def ids(self) -> list[UUID]:
        """Return the deliveries asked for, in order."""
        return [one.delivery_id for one in self.asked]
