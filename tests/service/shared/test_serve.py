"""A process of roles: ready, draining, crashed, as its supervisor sees it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

PROGRAM = """
import asyncio, os, sys
from fastapi import APIRouter
import shared.service as service
from shared.watch import logs
from shared.watch.failpoints import fp
from shared.web.app import StrictModel, make_app
from shared.web.auth import public

logs.configure(service="test", role="api")
service.DRAIN_S = float(os.environ.get("DRAIN_S", "20"))


router = APIRouter()


class Body(StrictModel):
    n: int


@router.get("/slow", dependencies=[public])
async def slow():
    print("request begun", flush=True)
    await asyncio.sleep(0.5)
    return "done"


@router.post("/echo", dependencies=[public])
async def echo(body: Body):
    return body.n


class Work:
    name = "work"

    async def run(self, stop):
        fp("test.at_start")
        if os.environ.get("WORK") == "return":
            return
        await stop.wait()
        if os.environ.get("WORK") == "hang":
            await asyncio.Event().wait()
        if os.environ.get("WORK") == "raise at the end":
            raise RuntimeError("not drained")
        print("work drained", flush=True)


async def main():
    app = make_app(title="t", service="test", routers=[router], authenticators=[])
    role = service.Role("test", "api", [Work()], app, 0)
    role.closing.push_async_callback(closed)
    return await service.serve([role], host="127.0.0.1", health_port=0)


async def closed():
    print("closed", flush=True)


sys.exit(asyncio.run(main()))
"""


@dataclass
class Running:
    """The process, the ports it told, and what it has printed so far."""

    process: asyncio.subprocess.Process
    ports: list[int]
    printed: list[str]

    async def until(self, text: str) -> None:
        assert self.process.stdout
        while text not in "".join(self.printed):
            line = await self.process.stdout.readline()
            assert line, self.printed
            self.printed.append(line.decode())

    async def ended(self) -> tuple[int, str]:
        rest, _ = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, "".join(self.printed) + rest.decode()


Start = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    root = Path(__file__).parents[3]

    @asynccontextmanager
    async def running(**environment: str) -> AsyncIterator[Running]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(root), **environment},
        )
        try:
            yield Running(process, [], [])
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    return running


async def ports(running: Running) -> tuple[int, int]:
    await running.until('"part": "management"')
    await running.until('"part": "http"')
    found = {}
    for line in running.printed:
        if "http.listening" in line:
            part = line.split('"part": "')[1].split('"')[0]
            found[part] = int(line.split('"port": ')[1].split(",")[0].rstrip("}"))
    return found["http"], found["management"]


async def test_sigterm_lets_open_requests_and_parts_finish(start: Start) -> None:
    async with start() as running:
        api, management = await ports(running)
        async with httpx2.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{management}/readyz")
            assert answer.json() == {"status": "ok", "failing": []}
            assert "server" not in answer.headers
            request = asyncio.create_task(client.get(f"http://127.0.0.1:{api}/slow"))
            await running.until("request begun")
            running.process.send_signal(signal.SIGTERM)
            assert (await request).json() == "done"
        code, printed = await running.ended()
    assert code == 0
    assert "work drained" in printed
    assert printed.rstrip().endswith("closed")


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"WORK": "return"}, "part.ended_unasked"),
        (
            {"CT_FAILPOINTS": "test.at_start=raise", "CTALERT_ENVIRONMENT": "development"},
            "part.failed",
        ),
    ],
)
async def test_a_part_that_ends_unasked_ends_the_process_with_70(
    start: Start, environment: dict[str, str], told: str
) -> None:
    async with start(**environment) as running:
        code, printed = await running.ended()
    assert code == 70
    assert told in printed
    assert "closed" in printed


@pytest.mark.parametrize(("work", "code"), [("hang", 0), ("raise at the end", 70)])
async def test_draining_has_an_end(start: Start, work: str, code: int) -> None:
    async with start(WORK=work, DRAIN_S="2") as running:
        await ports(running)
        running.process.send_signal(signal.SIGTERM)
        ended, printed = await running.ended()
    assert ended == code
    assert ("part.drained_too_slowly" in printed) == (work == "hang")


async def test_a_failpoint_may_kill_or_exit(start: Start) -> None:
    for action, expected in (("kill", -signal.SIGKILL), ("exit", 86)):
        points = f"test.at_start={action}"
        async with start(CT_FAILPOINTS=points, CTALERT_ENVIRONMENT="development") as running:
            code, _ = await running.ended()
        assert code == expected
    async with start(CT_FAILPOINTS="test.at_start=kill") as running:
        await ports(running)
        running.process.send_signal(signal.SIGINT)
        assert (await running.ended())[0] == 0


RAW = [
    ("J16", b"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", 400),
    ("J16", b"Content-Length: 7\r\nContent-Length: 8\r\n", b'{"n":1}', 400),
    ("J17", b"X: " + b"y" * 32_000 + b"\r\nContent-Length: 7\r\n", b'{"n":1}', 431),
    ("J14", b"Content-Length: 2000000\r\n", b"", 413),
    ("", b"Content-Length: 7\r\n", b'{"n":1}', 200),
]


@pytest.mark.shows("bad:J14", "bad:J16", "bad:J17", "S42")
async def test_malformed_http_gets_its_refusal(start: Start) -> None:
    async with start() as running:
        api, _ = await ports(running)
        for row, headers, body, status in RAW:
            reader, writer = await asyncio.open_connection("127.0.0.1", api)
            head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            writer.write(head + headers + b"\r\n" + body)
            answer = await asyncio.wait_for(reader.readline(), 5)
            assert answer.split()[1] == str(status).encode(), row
            writer.close()
            await writer.wait_closed()


async def test_a_body_broken_off_by_its_sender_is_no_failure_of_ours(start: Start) -> None:
    async with start() as running:
        api, management = await ports(running)
        _, writer = await asyncio.open_connection("127.0.0.1", api)
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        writer.write(head + b"Content-Length: 700\r\n\r\n" + b'{"n":')
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await running.until("request.broken_off")
        assert '"level": "info"' in running.printed[-1]
        async with httpx2.AsyncClient() as client:
            counted = (await client.get(f"http://127.0.0.1:{management}/metrics")).text
        assert 'route="/echo",service="test",status="499"' in counted
        assert 'status="5' not in counted
        running.process.send_signal(signal.SIGTERM)
        code, printed = await running.ended()
    assert code == 0
    assert "request.failed" not in printed
