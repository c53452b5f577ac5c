"""The simulators and a receiver of their webhooks, on real loopback ports, for tests."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import aiohttp
import orjson
import uvicorn

from services.dispatcher.providers.base import Message
from simulators.service import Simulators, assemble
from simulators.settings import SimulatorSettings

ACCOUNT = "AC" + "1f" * 16
TOKEN = "7d1b0a4e9c52f683" * 2
SMS_FROM, VOICE_FROM, MAIL_FROM = "+18605550100", "+18605550101", "CT Alert <alerts@ct.example>"


@dataclass(frozen=True)
class Heard:
    """One webhook as it came."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass
class Receiver:
    """Takes webhooks and answers each with what `answer` says."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answer: Callable[[Heard], tuple[int, bytes]] = lambda _: (204, b"")
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        query = scope["query_string"].decode()
        heard = Heard(
            path=scope["path"] + (f"?{query}" if query else ""),
            params=dict(parse_qsl(body.decode(), keep_blank_values=True)),
            headers={name.decode(): value.decode() for name, value in scope["headers"]},
        )
        self.heard.append(heard)
        self._came.set()
        status, answer = self.answer(heard)
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def until(self, count: int, within_s: float = 10) -> list[Heard]:
        """Wait until so many webhooks have come and return them."""
        async with asyncio.timeout(within_s):
            while len(self.heard) < count:
                self._came.clear()
                await self._came.wait()
        return self.heard

    def statuses(self, sid: str | None = None) -> list[str]:
        """Return the statuses heard, of one SID or all."""
        return [
            one.params.get("MessageStatus") or one.params.get("CallStatus", "")
            for one in self.heard
            if sid in (None, one.params.get("MessageSid"), one.params.get("CallSid"))
        ]


@dataclass
class Running:
    """Simulators that are up."""

    simulators: Simulators
    url: str
    smtp_port: int

    async def rules(self, *rules: dict[str, Any], seed: int = 0) -> None:
        """Put these rules in force."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.url}/simulator/rules", json={"rules": list(rules), "seed": seed}
            ) as reply,
        ):
            assert reply.status == 200, await reply.text()

    async def get(self, path: str) -> Any:
        """Return the JSON of one of the simulators' own pages."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as reply:
            return orjson.loads(await reply.read())

    async def ledger(self, kind: str = "") -> list[dict[str, Any]]:
        """Return the ledger's lines of a kind (by default every acceptance)."""
        query = f"?kind={kind}" if kind else ""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/simulator/ledger{query}") as reply,
        ):
            return [orjson.loads(line) for line in (await reply.read()).splitlines()]


def take_port() -> socket.socket:
    """Take a free loopback port whose address others may know before anybody answers there."""
    return socket.create_server(("127.0.0.1", 0), backlog=512)


def url_of(taken: socket.socket) -> str:
    """Return the address of a port that is taken."""
    return f"http://127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def listening(app: Any, *, at: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve an application on a free loopback port, or one taken before; yield its address."""
    bound = at or take_port()
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield url_of(bound)
    finally:
        server.should_exit = True
        await task
        bound.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver of webhooks."""
    receiver = Receiver()
    async with listening(receiver) as url:
        receiver.url = url
        yield receiver


@asynccontextmanager
async def simulating(folder: Path, *, public_url: str, delay_ms: int = 0) -> AsyncIterator[Running]:
    """Run the simulators with their ledger in a folder."""
    settings = SimulatorSettings(
        folder=folder, account_sid=ACCOUNT, auth_token=TOKEN, smtp_port=0, public_url=public_url,
        receipt_delay_ms=delay_ms,
    )  # fmt: skip
    role = await assemble("all", settings)
    simulators = role.app
    assert isinstance(simulators, Simulators)
    stop = asyncio.Event()
    parts = [asyncio.create_task(part.run(stop)) for part in role.parts]
    try:
        async with listening(simulators) as url:
            yield Running(simulators, url, simulators.sink.port)
    finally:
        stop.set()
        await asyncio.gather(*parts)
        await role.closing.aclose()


def a_message(channel: str = "sms", address: str = "+18605551234", **changes: Any) -> Message:
    """Make a message that is good in every respect that `changes` leaves alone."""
    given: dict[str, Any] = {
        "delivery_id": uuid4(),
        "epoch": 1,
        "channel": channel,
        "address": address,
        "reference": "CT-7QF2",
        "subject": "Flood warning" if channel == "email" else None,
        "body": "CT Alert: flood warning for Hartford. Move to higher ground. Ref CT-7QF2",
        "language": "en",
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
    }
    return Message(**(given | changes))


def _no_signals() -> Any:
    return nullcontext()
