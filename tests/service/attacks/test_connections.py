"""Clients that dawdle or never end: their connections are closed, others are served."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from shared import connection

PATIENCE_S = 20.0


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A server of ours that waits half a second for a head."""
    monkeypatch.setattr(connection, "HEAD_S", 0.5)
    config = uvicorn.Config(
        PlainTextResponse("well"), http=connection.Connection, lifespan="off", log_config=None
    )
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: connection.Connection(config, ServerState(), {}), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the other side closes."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b"])
@pytest.mark.shows("S42", "bad:J21")
async def test_a_head_that_does_not_come_closes(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    assert await closed(reader) == b""
    writer.close()


@pytest.mark.shows("S42", "bad:J21")
async def test_a_second_head_is_waited_for_no_longer(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(PATIENCE_S):
        assert b"200 OK" in await reader.readuntil(b"well")
    writer.write(b"GET / HTTP/1.1\r\nHo")
    assert await closed(reader) == b""
    writer.close()


@pytest.mark.shows("S42", "bad:J17")
async def test_a_head_without_end_closes(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 20_000)
    assert await closed(reader) == b""
    writer.close()


@pytest.mark.shows("S42")
async def test_a_slow_answer_is_not_cut(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            assert b"200 OK" in await reader.readuntil(b"well")
    writer.close()
