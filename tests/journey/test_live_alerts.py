"""While an alert is live: who comes is warned once, who goes not at all, a cancel is corrected."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest
import shapely

from ctalert.demo.roster import who_lives_inside
from ctalert.demo.watch import waiting
from tests.journey.resident import Resident
from tests.journey.stage import Stage, circle, refusal, until
from tests.journey.system import SLOTS

# A place by the sea where nobody lives whom the seed has made, and one far from it.
SHORE, FAR = (-71.9, 41.33), (-73.35, 42.0)
RADIUS_M = 2_000.0
STATE = shapely.box(-73.6, 41.05, -71.9, 42.0)
CORNERS = [[list(corner) for corner in STATE.exterior.coords]]
WHOLE_STATE = {
    "include": [{"type": "geojson", "geometry": {"type": "Polygon", "coordinates": CORNERS}}]
}


@pytest.mark.shows("G8", "R1", "goal:G1", "goal:G2")
async def test_whoever_comes_while_an_alert_is_live_is_warned_once(stage: Stage) -> None:
    """A sign-up inside, a move into the area and a new phone each hear it once."""
    area = circle(*SHORE, RADIUS_M)
    settled = await Resident(stage).sign_up(*SHORE)
    mover = await Resident(stage).sign_up(*FAR)
    await stage.known(area, 1)
    alert_id = await stage.warn(area)
    await until(lambda: settled.heard(alert_id), lambda texts: texts == 1)
    assert await mover.heard(alert_id) == 0

    newcomer = await Resident(stage).sign_up(*SHORE)
    await mover.move(*SHORE)
    await settled.add_phone()
    await until(lambda: newcomer.heard(alert_id), bool)
    await until(lambda: mover.heard(alert_id), bool)
    await until(lambda: settled.heard(alert_id), lambda texts: texts == 2)

    # Away and back, a profile changed again and a later alert: no reason to tell anybody twice.
    await mover.move(*FAR)
    await mover.move(*SHORE)
    last = await Resident(stage).sign_up(*SHORE)
    await until(lambda: last.heard(alert_id), bool)
    lines = [line["to"] for line in await stage.accepted(alert_id)]
    residents = (settled, newcomer, mover, last)
    assert sorted(lines) == sorted(number for one in residents for number in one.numbers)
    report = await stage.report(alert_id)
    assert (report["audience"]["people"], report["audience"]["late"]) == (4, 3)


@pytest.mark.shows("R5", "F39")
async def test_who_leaves_or_texts_stop_before_the_hand_over_hears_nothing(stage: Stage) -> None:
    """Both wait for a busy provider when they go; the provider is not even asked again."""
    home = (SHORE[0], SHORE[1] + 0.1)
    area = circle(*home, RADIUS_M)
    goes, stops, stays = [await Resident(stage).sign_up(*home) for _ in range(3)]
    await stage.known(area, 3)
    busy = {"mode": "too_many", "retry_after": 4}
    going = (goes, stops)
    await stage.rules(
        *({"kind": "sms", "to": one.number, "times": 1, "reply": busy} for one in going)
    )
    alert_id = await stage.warn(area)
    await until(stage.ledger, lambda lines: _asked(lines, going) == ["20429", "20429"])
    await stops.stop()
    await goes.leave()
    await until(
        lambda: stage.deliveries(alert_id),
        lambda rows: sum(row["state"] == "suppressed" for row in rows) == 2,
    )
    await until(lambda: stays.heard(alert_id), bool)
    assert _asked(await stage.ledger(), [goes]) == ["20429"]
    assert [line["to"] for line in await stage.accepted(alert_id)] == [stays.number]
    # Nobody can reach who texted STOP: an approver's count is without them.
    await stage.known(area, 1)

    # Who went can come back, and is warned: by the alert that is still live, and by a later one.
    back = await Resident(stage, number=goes.number).sign_up(*home)
    await stops.start()
    await stage.known(area, 3)
    later = await stage.warn(area)
    three = sorted(one.number for one in (back, stops, stays))
    for one in (alert_id, later):
        await until(partial(_told, stage, one), lambda told: told == three)


@pytest.mark.shows("M8", "D7", "F36", "goal:G12")
async def test_a_cancel_corrects_exactly_those_who_were_or_will_have_been_reached(
    stage: Stage,
) -> None:
    """What was accepted before, and what was under way and accepted after, is corrected once.

    What had not begun is never sent.
    """
    inside = who_lives_inside(stage.people, STATE)
    await stage.known(WHOLE_STATE, len(inside))
    accepted, slots = 40, SLOTS["SMS"]
    # The provider takes the next ones two seconds later and never says so.
    await stage.rules(
        {"kind": "sms", "times": accepted},
        {"kind": "sms", "reply": {"mode": "late", "delay_s": 2}},
    )
    alert_id = await stage.warn(WHOLE_STATE)
    await until(
        lambda: stage.world.simulators.get("/simulator/stats"),
        lambda seen: bool(seen["requests"]["open"] == slots),
    )
    before = {row["delivery_id"]: row["state"] for row in await stage.deliveries(alert_id)}
    await stage.rules()
    await stage.manager().post(f"/v1/alerts/{alert_id}/cancel", {"reason": "wrong place"})
    again = stage.manager().post(f"/v1/alerts/{alert_id}/cancel", {"reason": "wrong place"})
    assert await refusal(again) == 409

    async def unsettled() -> tuple[int, set[tuple[str, str]]]:
        owed = _reached(await stage.accepted(alert_id))
        corrected = _reached(await stage.accepted(alert_id, version=2))
        return waiting(await stage.report(alert_id)), owed ^ corrected

    await until(unsettled, lambda seen: seen == (0, set()), within_s=40)
    originals = await stage.accepted(alert_id)
    corrections = await stage.accepted(alert_id, version=2)
    begun = {one for one, state in before.items() if state != "pending"}
    # Calls and mail went on until the cancel; every slot for texts was taken.
    texts = {line["delivery_id"] for line in originals if line["kind"] == "sms"}
    assert texts <= begun
    assert len(texts) > accepted
    assert len(begun) < len(before), "it was all sent before the cancel"
    rows, report = await stage.deliveries(alert_id), await stage.report(alert_id)
    assert len(corrections) == len(originals) == report["handed_over"]
    assert report["correction"]["handed_over"] == len(corrections)
    unsent = {row["state"] for row in rows if not row["handed_over_at"]}
    assert unsent <= {"cancelled", "failed"}


async def _told(stage: Stage, alert_id: str) -> list[str]:
    return sorted(line["to"] for line in await stage.accepted(alert_id))


def _asked(lines: Iterable[dict[str, Any]], residents: Iterable[Resident]) -> list[str]:
    numbers = {one.number for one in residents}
    return [str(one["code"]) for one in lines if one["kind"] == "refused" and one["to"] in numbers]


def _reached(lines: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(line["kind"], line["to"]) for line in lines}
