"""As little HTTP as the simulators need: a request's form and query, a reply, nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
MOST_BYTES = 4_000_000


@dataclass(slots=True)
class Reply:
    """A whole reply."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] | None = None

    async def send(self, send: Send) -> None:
        """Write it to the connection."""
        headers = [
            (b"content-type", self.content_type.encode()),
            (b"content-length", str(len(self.body)).encode()),
        ]
        if self.headers:
            headers += [(k.lower().encode(), v.encode()) for k, v in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_reply(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """Make a JSON reply."""
    return Reply(status, orjson.dumps(value), "application/json", headers)


@dataclass(slots=True)
class Call:
    """A request whose body has been read."""

    scope: Scope
    receive: Receive
    send: Send
    body: bytes

    def form(self) -> dict[str, str]:
        """Read the body as a form; of a repeated name the last value counts."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def values(self, name: str) -> list[str]:
        """Return every value a form gives a name."""
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True)
        return [value for key, value in pairs if key == name]

    def query(self) -> dict[str, str]:
        """Read the query string."""
        return dict(parse_qsl(self.scope["query_string"].decode(), keep_blank_values=True))

    def header(self, name: bytes) -> bytes:
        """Return a header's first value, empty when there is none."""
        return next((value for key, value in self.scope["headers"] if key == name), b"")

    def transport(self) -> asyncio.Transport | None:
        """Return the connection beneath, where the server lets it be seen (uvicorn does)."""
        # uvloop's transports are no subclass of asyncio's, so the type is taken on trust.
        found: asyncio.Transport | None = getattr(
            getattr(self.send, "__self__", None), "transport", None
        )
        return found

    async def gone(self, seconds: float) -> None:
        """Wait until the other side has hung up, or so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while (await self.receive())["type"] != "http.disconnect":
                    continue
        except TimeoutError:
            return


async def read_body(receive: Receive) -> bytes | None:
    """Read a whole body; None when it is larger than the simulators take or was cut."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return body
