"""Runs the roles of one process: their parts, their HTTP, the management port, and a calm end."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from shared.bus.heartbeats import HeartbeatPublisher
from shared.bus.kafka.bus import Bus
from shared.clock import Clock
from shared.connection import Connection
from shared.watch.health import Health
from shared.watch.heartbeat import Heartbeat
from shared.watch.logs import get_logger
from shared.watch.management import management_app

log = get_logger(__name__)

DRAIN_S = 20.0
CRASHED = os.EX_SOFTWARE  # 70: the supervisor starts the process again


class Part(Protocol):
    """Something a role does for as long as it runs."""

    name: str

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what is begun and return."""
        ...


@dataclass
class Role:
    """One role, assembled: its parts, its HTTP application if it has one, and what to close."""

    service: str
    name: str
    parts: list[Part] = field(default_factory=list)
    app: ASGIApp | None = None
    port: int | None = None
    health: Health = field(default_factory=Health)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


def beat(role: Role, bus: Bus, *, clock: Clock) -> None:
    """Have the role say every second that it and the bus live."""
    producer = bus.producer()
    role.closing.push_async_callback(producer.close)
    role.parts.append(
        Heartbeat(
            service=role.service,
            role=role.name,
            publish=HeartbeatPublisher(producer),
            clock=clock,
        )
    )


async def serve(
    roles: Sequence[Role], *, host: str, health_port: int, trusted_proxies: str = ""
) -> int:
    """Run the roles until SIGTERM or SIGINT, then drain within 20 s; return the exit code.

    A part that raises, or returns unasked, ends the whole process with 70. `trusted_proxies` are
    the addresses whose X-Forwarded-For is believed, parted by commas.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    management = _HttpPart(
        "management", management_app([role.health for role in roles]), host, health_port
    )
    try:
        parts = list(_parts(roles, host, trusted_proxies))
        code = await _run(parts, management, roles, stop)
    except OSError as error:
        log.critical("process.cannot_listen", error=str(error))
        code = CRASHED
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        for role in reversed(roles):
            with contextlib.suppress(Exception):
                await role.closing.aclose()
    return code


def _parts(roles: Sequence[Role], host: str, proxies: str) -> Iterator[tuple[str, Part]]:
    for role in roles:
        label = f"{role.service}:{role.name}"
        if role.app is not None:
            yield label, _HttpPart("http", role.app, host, role.port or 0, proxies)
        for part in role.parts:
            yield label, part


async def _run(
    parts: Sequence[tuple[str, Part]],
    management: "_HttpPart",
    roles: Sequence[Role],
    stop: asyncio.Event,
) -> int:
    end = asyncio.Event()
    beside = asyncio.create_task(management.run(end), name="management")
    tasks = [asyncio.create_task(p.run(stop), name=f"{label}/{p.name}") for label, p in parts]
    stopping = asyncio.create_task(stop.wait())
    ended, _ = await asyncio.wait([stopping, beside, *tasks], return_when=asyncio.FIRST_COMPLETED)
    code = 0
    for task in ended if not stop.is_set() else ():
        log.critical("part.ended_unasked", part=task.get_name())
        code = CRASHED
    stop.set()
    await stopping
    for role in roles:
        role.health.draining = True
    _, late = await asyncio.wait([*tasks], timeout=DRAIN_S) if tasks else (set(), set())
    for task in late:
        log.error("part.drained_too_slowly", part=task.get_name())
        task.cancel()
    end.set()
    results = await asyncio.gather(*tasks, beside, return_exceptions=True)
    for task, result in zip([*tasks, beside], results, strict=True):
        if isinstance(result, Exception):
            log.critical("part.failed", part=task.get_name(), exc_info=result)
            code = CRASHED
    return code


class _Server(uvicorn.Server):
    """A server that leaves signals to serve()."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _HttpPart:
    """An HTTP application as a part: listens at once, finishes open requests when stopped."""

    def __init__(self, name: str, app: ASGIApp, host: str, port: int, proxies: str = "") -> None:
        self.name = name
        self._socket = socket.create_server((host, port), backlog=2048)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=Connection,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies or None,
                timeout_keep_alive=65,
                timeout_graceful_shutdown=10,
            )
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop; open requests have 10 s to finish."""
        log.info("http.listening", part=self.name, port=self._socket.getsockname()[1])
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        self._server.should_exit = True
        stopping.cancel()
        await serving
