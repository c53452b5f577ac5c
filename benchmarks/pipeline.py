"""The whole pipeline, end to end, beside the bare client's loop in the same run.

Everything of an alert is on: PostgreSQL, Kafka, claims, outcomes, receipts. The reference sends as
many texts to the same simulator with the bare client and keeps no record of anything.
"""

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.processes import cpu_seconds, used_between
from benchmarks.row import Row

BARE_TEXTS = 5_000
BARE_CONCURRENCY = 64
# All of Connecticut and nothing else that counts: (lat, lon), closed.
STATE = ((40.99, -73.70), (42.03, -73.70), (42.03, -71.80), (40.99, -71.80), (40.99, -73.70))


def measure(options: argparse.Namespace) -> list[Row]:
    """Run an alert to so many recipients in a data folder of its own and return the rows."""
    folder = Path(tempfile.mkdtemp(prefix="ctalert-bench-", dir="/var/tmp"))
    folder.chmod(0o711)
    os.environ["CTALERT_DATA"] = str(folder)
    try:
        return _measure(options.recipients)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(recipients: int) -> list[Row]:
    # Imported here: the data folder has to be chosen first.
    from ctalert import supervise
    from ctalert.adopt import servers
    from ctalert.catalogue import choose_groups
    from ctalert.commands.migrate import migrate
    from ctalert.provision import provide

    with servers() as addresses:
        environment = provide(addresses)
        migrate(environment)
        os.environ.update(environment)
        running = supervise.start(
            choose_groups(["all"], simulators=True),
            environment,
            logs=Path(os.environ["CTALERT_DATA"]) / "logs",
        )
        try:
            running.wait_ready()
            groups = {name: [pid] for name, pid in running.pids.items()} | _server_pids()
            return asyncio.run(_alert(environment, groups, recipients))
        finally:
            running.stop()


async def _alert(
    environment: Mapping[str, str], groups: Mapping[str, list[int]], recipients: int
) -> list[Row]:
    from ctalert.commands.token import make_token
    from ctalert.demo.message import compose
    from ctalert.demo.run import world_of
    from ctalert.demo.seed import seed
    from ctalert.demo.warn import partner_api, warn
    from ctalert.demo.watch import watch
    from shared.clock import SystemClock

    await seed(count=recipients)
    async with world_of(environment) as world:
        manager = world.dispatcher.as_bearer(make_token(role="manager", subject="second-person"))
        geofence = world.geofence.as_bearer(make_token(role="manager", subject="second-person"))
        await _counted(geofence, recipients)
        partner = await partner_api(
            world,
            admin_token=make_token(role="admin", subject="demo-admin"),
            kept=Path(os.environ["CTALERT_DATA"]) / "demo-partner.json",
        )
        before, began = cpu_seconds(groups), time.monotonic()
        alert = await warn(
            partner, manager, compose(now=SystemClock().now(), rings=[STATE], described="all")
        )
        report = await watch(manager, alert["alert_id"], timeout_s=600)
        seconds = time.monotonic() - began
        used = used_between(before, cpu_seconds(groups))
    bare_rate, bare_us = await _bare(environment)
    return list(_rows(report, used, seconds, bare_rate, bare_us))


def _rows(
    report: Mapping[str, Any],
    used: Mapping[str, float],
    seconds: float,
    bare_rate: float,
    bare_us: float,
) -> list[Row]:
    done = report["handed_over"]
    last = report["seconds_to"]["last"] or seconds
    rows = [
        Row("people in the audience", report["audience"]["people"], done, "people"),
        Row("approval to last hand-over, all channels", done / last, bare_rate, "1/s"),
        Row("approval to last receipt", done / seconds, bare_rate, "1/s"),
    ]
    for name, one in (("first", "first"), ("half", "p50"), ("99 %", "p99"), ("last", "last")):
        value = report["seconds_to"][one] or 0.0
        rows.append(Row(f"approval to {name} hand-over", value, last, "s", lower_is_better=True))
    ours = {k: v for k, v in used.items() if k not in ("postgres", "kafka", "simulators")}
    shares = {
        "CPU of all our processes": sum(ours.values()),
        **{f"CPU of {name}": value for name, value in used.items()},
        "CPU of ours, PostgreSQL and Kafka": sum(ours.values()) + used["postgres"] + used["kafka"],
    }
    rows += [
        Row(f"{name} a hand-over", value * 1e6 / done, bare_us, "µs", lower_is_better=True)
        for name, value in shares.items()
    ]
    return rows


def _server_pids() -> dict[str, list[int]]:
    from ctalert.data_folder import open_data_folder
    from ctalert.embedded.kafka import Broker
    from ctalert.embedded.postgres import Postgres

    data = open_data_folder()
    pids = {"postgres": Postgres(data / "postgres").pid, "kafka": Broker(data / "kafka").pid}
    return {name: [pid] for name, pid in pids.items() if pid is not None}


async def _counted(geofence: Any, recipients: int) -> None:
    geometry = {"type": "Polygon", "coordinates": [[[lon, lat] for lat, lon in STATE]]}
    body = {"area": {"include": [{"type": "geojson", "geometry": geometry}]}}
    deadline, last, steady = time.monotonic() + 180, -1, 0
    while steady < 10 and time.monotonic() < deadline:
        people = (await geofence.post("/v1/areas/preview", body))["people"]
        steady = steady + 1 if people == last and people > 0.9 * recipients else 0
        last = people
        await asyncio.sleep(0.5)


async def _bare(environment: Mapping[str, str]) -> tuple[float, float]:
    """Return texts a second and CPU µs a text of the bare client against the same simulator."""
    from services.dispatcher.providers.twilio_client import TwilioHttp, open_client
    from shared.clock import SystemClock

    account = (environment["CTALERT_TWILIO_ACCOUNT_SID"], environment["CTALERT_TWILIO_AUTH_TOKEN"])
    http = TwilioHttp(
        environment["CTALERT_TWILIO_BASE_URL"],
        *account,
        clock=SystemClock(),
        connections=BARE_CONCURRENCY,
        reply_within_s=30.0,
    )
    client = open_client(http, *account)
    # Numbers that end below 0100 are special to the simulators.
    numbers = iter(range(BARE_TEXTS))

    async def send() -> None:
        for n in numbers:
            await client.messages.create_async(
                to=f"+1475556{100 + n:04d}", from_=environment["CTALERT_SMS_FROM"], body="bare loop"
            )

    began, cpu = time.monotonic(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(BARE_CONCURRENCY):
            group.create_task(send())
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    await http.close()
    return BARE_TEXTS / seconds, cpu * 1e6 / BARE_TEXTS
