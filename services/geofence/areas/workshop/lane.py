"""A few at a time: who comes while all turns are taken waits, but neither long nor in a crowd."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.geofence.layers.geometry import GeometryRefused

# What waits longer than this is told to come again, and so is what finds a long queue.
PATIENCE_S = 5.0
MOST_WAITING = 32


class Busy(GeometryRefused):
    """There is more to do than can be done now; the same request may succeed in a moment."""

    def __init__(self) -> None:
        super().__init__("too-busy", "", "Other areas are being made; try again.", status=503)


class Lane:
    """Lets so many in at a time, in the order in which they came."""

    def __init__(self, width: int) -> None:
        self._turns = asyncio.Semaphore(width)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and have it until the block ends.

        Raises:
            Busy: too many others are waiting, or none of those before ends.
        """
        if self._turns.locked():
            await self._queue()
        else:
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    async def _queue(self) -> None:
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            await asyncio.wait_for(self._turns.acquire(), PATIENCE_S)
        except TimeoutError:
            raise Busy from None
        finally:
            self._waiting -= 1
