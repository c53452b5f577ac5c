"""Beats once a second on the bus, so that a broken pipe is known before it is needed."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from shared.clock import Clock
from shared.watch.logs import get_logger
from shared.watch.metrics import Counter

log = get_logger(__name__)
_missed = Counter("ctalert_heartbeats_missed_total", "Heartbeats not taken by the bus", ["service"])

# service, role, instance, moment
Publish = Callable[[str, str, str, datetime], Awaitable[None]]


class Heartbeat:
    """The part of a role that says it lives."""

    name = "heartbeat"

    def __init__(
        self, *, service: str, role: str, publish: Publish, clock: Clock, every_s: float = 1.0
    ) -> None:
        self._who = (service, role, f"{socket.gethostname()}:{os.getpid()}")
        self._publish = publish
        self._clock = clock
        self._every_s = every_s

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until told to stop; a beat that cannot be sent is counted and left out."""
        while not stop.is_set():
            try:
                await self._publish(*self._who, self._clock.now())
            except Exception as error:
                _missed.labels(self._who[0]).inc()
                log.debug("heartbeat.missed", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every_s)
