"""Health of a role: alive while no watchdog barks, ready when all its checks pass."""

import asyncio
from collections.abc import Awaitable, Callable

Check = Callable[[], Awaitable[object]]

_CHECK_TIMEOUT_S = 2.0


class Health:
    """The checks of one role: a check passes by returning anything but False."""

    def __init__(self) -> None:
        self._ready: dict[str, Check] = {}
        self._live: dict[str, Check] = {}
        self.draining = False

    def add(self, name: str, check: Check, *, live: bool = False) -> None:
        """Add a check of readiness or, when `live`, one whose failure asks for a restart."""
        (self._live if live else self._ready)[name] = check

    async def live(self) -> list[str]:
        """Return the names of failing liveness checks; answering at all shows the loop turns."""
        return await _failing(self._live)

    async def ready(self) -> list[str]:
        """Return the names of failing readiness checks; draining is one."""
        failing = await _failing(self._ready)
        return ["draining", *failing] if self.draining else failing


async def _failing(checks: dict[str, Check]) -> list[str]:
    results = await asyncio.gather(*(_passes(check) for check in checks.values()))
    return [name for name, passed in zip(checks, results, strict=True) if not passed]


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            return await check() is not False
    except Exception:
        # Whatever went wrong is the answer: not ready.
        return False
