"""`ctl demo`: the main job on this machine, from an opt-in to a report that adds up."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import shapely

from ctalert import supervise
from ctalert.adopt import servers
from ctalert.catalogue import ROLES, choose_groups
from ctalert.commands.migrate import migrate
from ctalert.commands.run import hold_places
from ctalert.commands.token import make_token
from ctalert.data_folder import open_data_folder
from ctalert.demo.account import Account, account, reachable
from ctalert.demo.arguments import Asked, read_arguments
from ctalert.demo.ask import Api, Refused, World
from ctalert.demo.boundaries import TownMissing, outlines
from ctalert.demo.enrol import enrol
from ctalert.demo.message import ANY_SENDER, STORM, Ring, compose
from ctalert.demo.roster import append_roster, expected_deliveries, read_roster, who_lives_inside
from ctalert.demo.seed import roster_path, seed
from ctalert.demo.warn import partner_api, warn
from ctalert.demo.watch import waiting, watch
from ctalert.provision import provide, uses_simulators
from ctalert.supervise import NotReady
from shared.clock import SystemClock


def run(arguments: list[str]) -> int:
    """Run the demo; exit code 0 only if every recipient is accounted for."""
    options = read_arguments(arguments)
    if not uses_simulators():
        print("ctl demo runs only against the simulators", file=sys.stderr)
        return 2
    try:
        result = _run(options)
    except (TownMissing, Refused, NotReady) as error:
        print(f"ctl demo: {error}", file=sys.stderr)
        return 1
    return 0 if result["ok"] else 1


def _run(options: Asked) -> dict[str, Any]:
    with hold_places(ROLES), servers() as addresses:
        _say("servers are up; migrating")
        environment = provide(addresses)
        migrate(environment)
        os.environ.update(environment)
        running = supervise.start(
            choose_groups(["all"], simulators=True), environment, logs=open_data_folder() / "logs"
        )
        try:
            running.wait_ready()
            _say("services are ready")
            result = asyncio.run(_perform(options, environment))
            _print(result, as_json=options.json)
            if not options.once:
                _stay(environment)
        finally:
            running.stop()
    return result


async def _perform(options: Asked, environment: Mapping[str, str]) -> dict[str, Any]:
    began = time.monotonic()
    made = await seed(count=options.residents)
    _say(f"{made} residents taken in")
    async with world_of(environment) as world:
        newcomer = await enrol(world)
        append_roster(roster_path(), [newcomer])
        _say("one resident opted in, with the code from the phone")
        manager = world.dispatcher.as_bearer(make_token(role="manager", subject="second-person"))
        rings: Sequence[Ring] = [STORM]
        words: dict[str, Any] = {}
        if options.words:
            words = {"words": options.words, "described": ", ".join(options.towns)}
            geofence = world.geofence.as_bearer(make_token(role="manager", subject="second-person"))
            rings = await outlines(geofence, options.towns)
        area = shapely.union_all([shapely.Polygon([(x, y) for y, x in ring]) for ring in rings])
        # Who has lost the last address in an alert of before is counted no more.
        known = reachable(read_roster(roster_path()), await _ledger(world))
        inside = who_lives_inside(known, area)
        await _roster_known(world, area, len(inside))
        partner = await partner_api(
            world,
            admin_token=make_token(role="admin", subject="demo-admin"),
            kept=open_data_folder() / "demo-partner-any.json",
            sender=ANY_SENDER,
        )
        message = compose(now=SystemClock().now(), rings=rings, sender=ANY_SENDER, **words)
        _say(f"a partner's CAP message of {len(message)} bytes; a second person approves")
        alert = await warn(partner, manager, message)
        report = await watch(manager, alert["alert_id"], timeout_s=120)
        checked = account(
            expected=expected_deliveries(inside, emergency=alert["emergency"]),
            deliveries=await _deliveries(manager, alert["alert_id"]),
            ledger=await _ledger(world),
        )
    return _result(report, checked, expected=len(inside), seconds=time.monotonic() - began)


def world_of(environment: Mapping[str, str]) -> World:
    """Return the APIs of a system started with this environment."""
    ports = {
        name: environment.get(f"CTALERT_{variable}_PORT") or default
        for name, variable, default in (
            ("subscriber", "SUBSCRIBER", "8081"),
            ("geofence", "GEOFENCE", "8082"),
            ("dispatcher", "DISPATCHER", "8083"),
            ("simulators", "SIMULATOR", "8090"),
        )
    }
    return World(**{name: f"http://127.0.0.1:{port}" for name, port in ports.items()})


async def _roster_known(world: World, area: shapely.Geometry, expected: int) -> None:
    """Wait until the geofence counts everybody, so that the approver sees the right number."""
    api = world.geofence.as_bearer(make_token(role="manager", subject="second-person"))
    geometry = json.loads(shapely.to_geojson(area))
    body = {"area": {"include": [{"type": "geojson", "geometry": geometry}]}}
    deadline = time.monotonic() + 60
    people = -1
    while people != expected and time.monotonic() < deadline:
        people = (await api.post("/v1/areas/preview", body))["people"]
        await asyncio.sleep(0.1)
    _say(f"{people} people in the area, {expected} expected")


async def _deliveries(api: Api, alert_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        params = {"limit": "1000", **({"after": after} if after else {})}
        page = await api.get(f"/v1/alerts/{alert_id}/deliveries", **params)
        rows += page["deliveries"]
        after = page["after"]
        if not after:
            return rows


async def _ledger(world: World) -> list[dict[str, Any]]:
    text = await world.simulators.get_text("/simulator/ledger", kind="sms,voice,email,refused")
    return [json.loads(line) for line in text.splitlines()]


def _result(
    report: dict[str, Any], checked: Account, *, expected: int, seconds: float
) -> dict[str, Any]:
    audience = report["audience"]["people"]
    reached = {
        channel: {name: counts[name] for name in ("handed_over", "delivered", "failed")}
        for channel, counts in report["by_channel"].items()
    }
    return {
        "alert_id": report["alert_id"],
        "audience": audience,
        "expected_audience": expected,
        "handed_over": report["handed_over"],
        "delivered": report["delivered"],
        "failed": report["failed"]["total"],
        "failed_by_reason": report["failed"]["by_reason"],
        "excluded": report["audience"]["excluded"],
        "by_channel": reached,
        "lost": checked.lost,
        "duplicates": checked.duplicates,
        "false_handed_over": checked.false_handed_over,
        "phantom": checked.phantom,
        "seconds_to_first": report["seconds_to"]["first"],
        "seconds_to": report["seconds_to"],
        "seconds_total": round(seconds, 3),
        "ok": checked.clean and audience == expected and waiting(report) == 0,
    }


def _print(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result), flush=True)
        return
    print(f"\nalert {result['alert_id']}")
    print(
        f"  audience        {result['audience']:>7} people ({result['expected_audience']} expected)"
    )
    for name in ("handed_over", "delivered", "failed", "lost", "duplicates"):
        print(f"  {name:<15} {result[name]:>7}")
    for reason, count in sorted(result["failed_by_reason"].items()):
        print(f"    {reason:<24} {count:>5}")
    for channel, counts in result["by_channel"].items():
        print(f"  {channel:<6}" + "  ".join(f"{name} {n}" for name, n in counts.items()))
    times = result["seconds_to"]
    print("  seconds to first / 50 / 99 / 100 %: " + " / ".join(
        "-" if times[name] is None else f"{times[name]:.2f}"
        for name in ("first", "p50", "p99", "last")))  # fmt: skip
    print("every recipient is accounted for" if result["ok"] else "IT DOES NOT ADD UP")


def _stay(environment: Mapping[str, str]) -> None:
    world = world_of(environment)
    for name, base in world.bases.items():
        print(f"  {name:<11} {base}/docs" if name != "simulators" else f"  {name:<11} {base}")
    print("up until Ctrl-C", flush=True)
    supervise.wait_for_signal()


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)
