"""Logs without personal data, failpoints, health and traces."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx2
import pytest

from shared.clock import SystemClock
from shared.security.masking import mask_address, mask_text
from shared.watch import failpoints, logs, metrics, traces
from shared.watch.failpoints import FailpointHit, fp
from shared.watch.health import Health
from shared.watch.heartbeat import Heartbeat
from shared.watch.management import management_app
from tests.logged import logged


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    with logged(level="debug", service="dispatcher", role="api") as stream:
        yield stream


@pytest.mark.shows("S37")
def test_no_log_line_holds_a_phone_an_email_or_a_secret(lines: io.StringIO) -> None:
    log = logs.get_logger("test")
    log.info(
        "delivery.sent",
        channel="sms",
        to="+1 (860) 555-0123",
        note="mail ann.lee@example.org\nforged: line",
        nested={"list": ["+18605550123"], "text": "the alert", "code": 123456},
        token="eyJ",
    )
    logging.getLogger("library").warning("could not reach %s", "18605550123")
    try:
        raise ValueError("for bob@example.org")
    except ValueError:
        log.exception("request.failed")
    written = lines.getvalue()
    for secret in ("5550123", "555-0123", "ann.lee", "bob@", "the alert", "123456", "eyJ"):
        assert secret not in written
    events = [json.loads(line) for line in written.splitlines()]
    assert len(events) == 3
    assert {"service": "dispatcher", "role": "api", "channel": "sms"}.items() <= events[0].items()
    assert events[0]["at"].endswith("Z")
    assert events[2]["exception"]


@pytest.mark.shows("S37")
@pytest.mark.usefixtures("lines")
def test_lines_for_people_are_masked_too() -> None:
    stream = io.StringIO()
    logs.configure(format="text", stream=stream)
    try:
        raise ValueError("for bob@example.org")
    except ValueError:
        logs.get_logger("test").exception("request.failed", to="+18605550123")
    assert "ValueError" in stream.getvalue()
    assert "bob@" not in stream.getvalue()
    assert "0123" not in stream.getvalue()


@pytest.mark.shows("S37")
def test_ids_and_times_stay_readable() -> None:
    for text in (
        "0190a000-1234-7000-8000-012345678901",
        "2026-11-22T19:43:06.123456+00:00",
        "2026-11-22 19:43:06",
        "offset 1234567",
        "41.763710,-72.685090",
        "SM0123456789abcdef0123456789abcdef",
    ):
        assert mask_text(text) == text
    assert mask_address("+18605550123") == "+***23"
    assert mask_address("ann@mail.example.org") == "a***@***.org"


def test_a_trace_goes_from_request_to_log(lines: io.StringIO) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    child = traces.follow(parent)
    logs.get_logger("test").info("x")
    assert traces.trace_id(child) == traces.trace_id(parent)
    assert child != parent
    assert json.loads(lines.getvalue())["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    for malformed in ("", "00-0-0-1", parent + "x", parent.replace("4bf9", "ZZZZ")):
        assert traces.trace_id(traces.new_traceparent(malformed)) != traces.trace_id(parent)


@pytest.fixture
def points() -> Iterator[None]:
    yield
    failpoints.arm("", environment="development")


@pytest.mark.usefixtures("points")
def test_a_failpoint_acts_once_at_its_turn() -> None:
    failpoints.arm("a.b=raise@2", environment="development")
    fp("a.b")
    fp("other")
    with pytest.raises(FailpointHit):
        fp("a.b")
    fp("a.b")
    with pytest.raises(ValueError, match="no such"):
        failpoints.arm("a.b=explode", environment="development")


@pytest.mark.usefixtures("points")
def test_failpoints_are_read_from_a_file_at_the_start_alone(tmp_path: Path) -> None:
    file = tmp_path / "failpoints"
    failpoints.arm(f"@{file}", environment="development")
    fp("a.b")
    file.write_text("a.b=raise", "utf-8")
    fp("a.b")
    failpoints.arm(f"@{file}", environment="development")
    with pytest.raises(FailpointHit):
        fp("a.b")


@pytest.mark.usefixtures("points")
def test_failpoints_do_nothing_in_production() -> None:
    failpoints.arm("a.b=raise", environment="production")
    fp("a.b")


@pytest.mark.shows("S46")
async def test_the_management_port_tells_health_and_metrics() -> None:
    health = Health()

    async def broken() -> None:
        raise OSError("postgresql://user:password@db")

    async def hanging() -> None:
        await asyncio.Event().wait()

    async def barking() -> bool:
        return False

    async def fine() -> None:
        return None

    transport = httpx2.ASGITransport(app=management_app([health, Health()]))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        health.add("fine", fine)
        assert (await client.get("/readyz")).status_code == 200
        health.add("database", broken)
        health.add("bus", hanging)
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "failing", "failing": ["bus", "database"]}
        assert (await client.get("/livez")).status_code == 200
        health.add("worker", barking, live=True)
        assert (await client.get("/livez")).json()["failing"] == ["worker"]
        metrics.pages.labels("test", "why").inc()
        answer = await client.get("/metrics")
        assert 'ctalert_pages_total{reason="why",service="test"} 1.0' in answer.text


async def test_a_heartbeat_outlives_a_bus_that_is_away() -> None:
    stop, beats = asyncio.Event(), 0

    async def publish(service: str, role: str, instance: str, at: datetime) -> None:
        nonlocal beats
        beats += 1
        if beats == 3:
            stop.set()
        raise ConnectionError("away")

    heart = Heartbeat(
        service="dispatcher", role="api", publish=publish, clock=SystemClock(), every_s=0.001
    )
    await asyncio.wait_for(heart.run(stop), 5)
    assert beats == 3
