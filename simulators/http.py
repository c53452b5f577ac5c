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


class Unreadable(Exception):
    """A query or form that cannot be read; the text says what of it."""


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
        """Read the body as a form; of a repeated name the last value counts.

        Raises:
            Unreadable: it is not UTF-8.
        """
        return dict(_pairs(self.body))

    def values(self, name: str) -> list[str]:
        """Return every value a form gives a name.

        Raises:
            Unreadable: it is not UTF-8.
        """
        return [value for key, value in _pairs(self.body) if key == name]

    def query(self) -> dict[str, str]:
        """Read the query string.

        Raises:
            Unreadable: it is not UTF-8.
        """
        return dict(_pairs(self.scope["query_string"]))

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


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """Return a number of a query from 0 up, or None where it is not given.

    Raises:
        Unreadable: it is given and no such number.
    """
    given = query.get(name)
    if given is None:
        return None
    # More digits than any count has: Python refuses thousands of them with an error of its own.
    if not (given.isascii() and given.isdecimal() and len(given) <= 18):
        raise Unreadable(f"{name} must be a whole number")
    return int(given)


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(raw.decode(), keep_blank_values=True)
    except UnicodeDecodeError:
        raise Unreadable("the query or form is not UTF-8") from None


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
