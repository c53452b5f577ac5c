"""Running a part for a while, killing it, and waiting for what it does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from shared.service import Part
from tests.waiting import until

PATIENCE_S = 30.0


@asynccontextmanager
async def running(*parts: Part) -> AsyncIterator[None]:
    """Run parts for the length of a `with`; what one of them raises is raised at its end."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(part.run(stop)) for part in parts]
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*tasks)


@asynccontextmanager
async def killed(part: Part) -> AsyncIterator[None]:
    """Run a part and, instead of stopping it, cancel it where it stands."""
    task = asyncio.create_task(part.run(asyncio.Event()))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def eventually(done: Callable[[], Awaitable[bool]]) -> None:
    """Return once a question is answered with yes."""
    await until(done, within_s=PATIENCE_S)


class Beside:
    """One part, and beside it another that ends with it however it ends."""

    def __init__(self, one: Part, other: Part) -> None:
        self.name = one.name
        self._one, self._other = one, other

    async def run(self, stop: asyncio.Event) -> None:
        """Run both until told to stop, or until the first dies."""
        end = asyncio.Event()
        beside = asyncio.create_task(self._other.run(end))
        try:
            await self._one.run(stop)
        finally:
            end.set()
            await beside
