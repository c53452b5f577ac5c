"""Waiting for what happens elsewhere: looking again and again, for a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

# Often enough that nobody waits for the test, seldom enough that the test burdens nobody.
PAUSE_S = 0.02


async def until(
    look: Callable[[], Awaitable[T]],
    holds: Callable[[T], bool] = bool,
    *,
    within_s: float = 30,
    pause_s: float = PAUSE_S,
    passing: tuple[type[Exception], ...] = (),
) -> T:
    """Look until what is seen is as wanted and return it; errors that pass are looked past."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    tick = asyncio.Event()
    seen: Any = "nothing"
    while True:
        try:
            seen = await look()
            if holds(seen):
                return seen  # type: ignore[no-any-return]
        except passing as error:
            seen = error
        assert loop.time() < deadline, f"not within {within_s} s; last seen: {seen}"
        loop.call_later(pause_s, tick.set)
        await tick.wait()
        tick.clear()
