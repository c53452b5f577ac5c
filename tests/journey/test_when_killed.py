"""Kills in the middle of an alert: it finishes, nobody is lost, no text and no call is doubled."""

from collections.abc import Mapping
from typing import Any

import pytest
import shapely

from ctalert.demo.roster import who_lives_inside
from services.dispatcher.delivery.deliver import FLUSH_ROWS
from tests.journey.resident import Resident
from tests.journey.stage import Stage, until
from tests.journey.system import SLOTS

pytestmark = pytest.mark.timeout(480)

STATE = shapely.box(-73.6, 41.05, -71.9, 42.0)
CORNERS = [[list(corner) for corner in STATE.exterior.coords]]
WHOLE_STATE = {
    "include": [{"type": "geojson", "geometry": {"type": "Polygon", "coordinates": CORNERS}}]
}
# Of three, the provider takes one and never says so, and one it never takes nor answers.
HARD_TIMES: tuple[Mapping[str, Any], ...] = tuple(
    {"kind": kind, "probability": share, "reply": {"mode": mode}}
    for kind in ("sms", "voice")
    for share, mode in ((0.3, "late"), (0.4, "hang"))
)
SLOW_MAIL: Mapping[str, Any] = {
    "kind": "email", "probability": 0.5, "smtp": {"stage": "dot", "delay_s": 8},
}  # fmt: skip
# A lease of 30 s, the hold of an urgent text of 5 s, and the look-up; a line of which nobody knows
# is left alone for 66 s, and mail is held for 60 s.
LOOKED_UP_S, MAIL_S = 130.0, 190.0


async def in_the_middle(stage: Stage, *slower: Mapping[str, Any]) -> str:
    """Warn the whole state, and return when texts and calls are stuck in every slot."""
    await stage.known(WHOLE_STATE, len(who_lives_inside(stage.people, STATE)))
    await stage.rules(*HARD_TIMES, *slower)
    alert_id = await stage.warn(WHOLE_STATE)
    stuck = SLOTS["SMS"] + SLOTS["VOICE"]
    await until(
        lambda: stage.world.simulators.get("/simulator/stats"),
        lambda seen: bool(seen["requests"]["open"] >= stuck),
    )
    await stage.rules()
    states = {row["state"] for row in await stage.deliveries(alert_id)}
    assert {"pending", "sending"} <= states, "it is not in the middle"
    return alert_id


async def rest_sent(stage: Stage, alert_id: str) -> None:
    """Return when only what was under way is left to wait for."""
    await until(
        lambda: stage.report(alert_id),
        lambda seen: bool(seen["by_state"]["pending"] == 0),
        within_s=LOOKED_UP_S,
    )


async def finish(stage: Stage, alert_id: str, *, within_s: float, emails: int = 0) -> None:
    """Everybody is reached; mails repeated are at most so many, each with its Message-ID."""
    # Whoever came meanwhile is warned too: all these alerts are live.
    inside = who_lives_inside(stage.people, STATE)
    await stage.ended(alert_id, inside, within_s=within_s)
    await stage.check(alert_id, inside)
    lines = [line for line in await stage.ledger() if line["kind"] == "email"]
    repeated = stage.repeats(lines, await stage.deliveries(alert_id))
    assert repeated.total() <= emails
    names = {(line["delivery_id"], line["message_id"]) for line in lines}
    assert sum(delivery_id in repeated for delivery_id, _ in names) == len(repeated)


@pytest.fixture(scope="module")
async def all_killed(stage: Stage) -> str:
    """An alert in whose middle everything was killed, both servers too; all is up again."""
    alert_id = await in_the_middle(stage, SLOW_MAIL)
    stage.system.kill_everything()
    # The second audience that a process of the geofence resolves from now on is its last.
    stage.system.start(failpoints="geofence.between_chunks=kill@2")
    await rest_sent(stage, alert_id)
    return alert_id


@pytest.fixture(scope="module")
async def worker_killed(stage: Stage, all_killed: str) -> str:
    """An alert in whose middle the worker for texts and the flow were killed."""
    alert_id = await in_the_middle(stage)
    stage.system.kill("dispatcher:sms", "dispatcher:fanout")
    await rest_sent(stage, alert_id)
    return alert_id


@pytest.mark.shows("F03", "goal:G1", "goal:G2", "goal:G12")
async def test_the_geofence_dies_while_it_resolves(stage: Stage, all_killed: str) -> None:
    """It dies after a chunk and before it says how many there are; another run is made."""
    before = stage.system.processes("geofence:replica")
    for _ in range(2):
        await stage.known(WHOLE_STATE, len(who_lives_inside(stage.people, STATE)))
        await finish(stage, await stage.warn(WHOLE_STATE), within_s=LOOKED_UP_S)
    assert stage.system.processes("geofence:replica") != before, "it did not die"
    stage.system.spare()


@pytest.mark.shows("F01", "D6", "goal:G1", "goal:G2", "goal:G12")
async def test_the_providers_are_gone_for_a_while(stage: Stage, worker_killed: str) -> None:
    """What they had taken they still have when they are back; the rest goes out then."""
    alert_id = await in_the_middle(stage)
    stage.system.kill("simulators:all")
    await finish(stage, alert_id, within_s=LOOKED_UP_S)


@pytest.mark.shows("F16", "F37", "goal:G1", "goal:G2", "goal:G12")
async def test_kafka_loses_everything(stage: Stage, worker_killed: str) -> None:
    """Topics are made anew, the roster is told again: the alert goes on, nobody hears it twice."""
    alert_id = await in_the_middle(stage)
    stage.system.lose_kafka()
    stage.system.broker.start()
    stage.system.ctl("migrate")
    stage.system.ctl("replay", "roster")
    await finish(stage, alert_id, within_s=LOOKED_UP_S)
    # Everything else told again as well, and whoever comes now is still warned, once.
    since = ("--since", "2026-01-01T00:00:00Z")
    stage.system.ctl("replay", "outbox", "--topic", "every", *since)
    newcomer = await Resident(stage).sign_up(-72.6734, 41.7658)
    await until(lambda: newcomer.heard(alert_id), bool, within_s=60)
    await finish(stage, alert_id, within_s=LOOKED_UP_S)


@pytest.mark.shows("F01", "D6", "goal:G1", "goal:G2", "goal:G12")
async def test_the_sms_worker_and_the_flow_die(stage: Stage, worker_killed: str) -> None:
    """What the dead worker had claimed is looked up before anything is sent again."""
    await finish(stage, worker_killed, within_s=LOOKED_UP_S)


@pytest.mark.shows("F01", "F08", "F17", "D6", "D20", "goal:G1", "goal:G2", "goal:G12")
async def test_everything_is_killed_at_once_and_started_again(
    stage: Stage, all_killed: str
) -> None:
    """The last to be looked at, because mail whose fate nobody knows waits the longest."""
    # In flight, and accepted with an outcome not yet committed (goal:G2).
    most = SLOTS["EMAIL"] + FLUSH_ROWS
    await finish(stage, all_killed, within_s=MAIL_S, emails=most)
