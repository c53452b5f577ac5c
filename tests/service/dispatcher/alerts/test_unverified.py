"""A partner's alert that nobody can approve for want of a verified area is heard of."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.dispatcher.alerts.timers import UNVERIFIED_S, timers
from tests.service.dispatcher.alerts.cap.cap_messages import info, message, post
from tests.service.dispatcher.alerts.desk import Desk, do_once
from tests.service.dispatcher.alerts.test_unheard import reasons

WAITS = "has no verified area"
CLOSED = "its area was never verified"


@pytest.fixture
async def unverified(desk: Desk) -> str:
    """A partner's alert that came while the geofence is away, before anybody was called."""
    await desk.run("DELETE FROM dispatcher_alert")
    await desk.run("DELETE FROM dispatcher_page")
    await desk.run("DELETE FROM dispatcher_outbox")
    desk.geofence.down = True
    receipt = (await post(desk, message(desk.keys["sender"], info()))).json()
    assert (receipt["state"], receipt["hold"]) == ("draft", None)
    return str(receipt["alert_id"])


async def older(desk: Desk, alert_id: str, seconds: float) -> None:
    """Let an alert have come so much earlier."""
    await desk.run(
        "UPDATE dispatcher_alert SET created_at = created_at - make_interval(secs => :s)"
        " WHERE alert_id = :id", s=seconds, id=alert_id,
    )  # fmt: skip


@pytest.mark.shows("M13", "S45")
async def test_one_that_stays_unverified_calls_once(desk: Desk, unverified: str) -> None:
    parts = timers(desk.context)
    await do_once(parts)
    assert await reasons(desk) == []
    await older(desk, unverified, UNVERIFIED_S)
    before = called()
    await do_once(parts)
    (reason,) = await reasons(desk)
    assert WAITS in reason
    assert unverified in reason
    # Not even after the ten minutes in which nobody is called twice for one reason.
    await desk.run("DELETE FROM dispatcher_page")
    await do_once(parts)
    assert len(await reasons(desk)) == 1
    assert called() == before + 1
    # It goes on being tried.
    desk.geofence.down = False
    await do_once(parts)
    assert await desk.rows(
        "SELECT 1 FROM dispatcher_alert WHERE alert_id = :id AND state = 'pending_approval'",
        id=unverified,
    )


@pytest.mark.shows("M13", "S45")
async def test_each_one_calls_while_it_waits_and_when_it_ends(desk: Desk, unverified: str) -> None:
    second = str((await post(desk, message(desk.keys["sender"], info()))).json()["alert_id"])
    both, parts = {unverified, second}, timers(desk.context)
    for one in both:
        await older(desk, one, UNVERIFIED_S)
        await do_once(parts)
    await desk.run("UPDATE dispatcher_alert SET expires_at = now()")
    await do_once(parts)
    for words in (WAITS, CLOSED):
        told = [reason for reason in await reasons(desk) if words in reason]
        assert len(told) == 2
        assert all(any(one in reason for reason in told) for one in both)


async def test_one_that_is_held_for_a_person_has_called_already(
    desk: Desk, unverified: str
) -> None:
    await desk.run(
        "UPDATE dispatcher_alert SET area_hold = 'unknown-geocode' WHERE alert_id = :id",
        id=unverified,
    )
    await older(desk, unverified, UNVERIFIED_S)
    await do_once(timers(desk.context))
    assert await reasons(desk) == []


@pytest.mark.shows("M13", "S45")
@pytest.mark.parametrize(
    ("change", "state"),
    [
        ("expires_at = now()", "expired"),
        ("created_at = created_at - interval '25 hours'", "lapsed"),
    ],
)
async def test_one_that_ends_unverified_calls(
    desk: Desk, unverified: str, change: str, state: str
) -> None:
    await desk.run(f"UPDATE dispatcher_alert SET {change} WHERE alert_id = :id", id=unverified)  # noqa: S608
    for _ in range(2):
        await do_once(timers(desk.context))
    ended = [reason for reason in await reasons(desk) if CLOSED in reason]
    assert ended == [f"alert {unverified} has {state}, {CLOSED}"]


async def test_one_that_ends_with_its_area_calls_nobody(desk: Desk, unverified: str) -> None:
    desk.geofence.down = False
    draft = (await desk.draft(desk.sign_in("ada"))).json()
    await do_once(timers(desk.context))
    await desk.run("UPDATE dispatcher_alert SET expires_at = now()")
    await do_once(timers(desk.context))
    rows: list[dict[str, Any]] = await desk.rows("SELECT alert_id, state FROM dispatcher_alert")
    assert {str(row["alert_id"]): row["state"] for row in rows} == {
        unverified: "expired", draft["alert_id"]: "expired",
    }  # fmt: skip
    assert await reasons(desk) == []


def called() -> float:
    """Return how often a person was called to an alert without a verified area."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "ctalert_pages_total" and WAITS in sample.labels["reason"]
    )
