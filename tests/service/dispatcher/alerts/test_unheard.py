"""An approved alert whose audience does not come calls the person on duty, whatever the reason."""

import orjson
import pytest

from services.dispatcher.alerts.timers import timers
from tests.service.dispatcher.alerts.desk import Desk, do_once


@pytest.mark.shows("M13")
async def test_an_alert_that_must_be_announced_again_pages(desk: Desk) -> None:
    """The geofence may be down, or may have refused what it could not even read."""
    alert_id = (await desk.approved())["alert_id"]
    await do_once(timers(desk.context))
    assert await reasons(desk) == []
    await desk.run("UPDATE dispatcher_alert SET announced_at = announced_at - interval '20 s'")
    await do_once(timers(desk.context))
    (reason,) = await reasons(desk)
    assert str(alert_id) in reason
    # Within ten minutes it calls once, however often the alert is announced.
    await desk.run("UPDATE dispatcher_alert SET announced_at = announced_at - interval '20 s'")
    await do_once(timers(desk.context))
    assert len(await reasons(desk)) == 1


async def test_an_alert_that_the_geofence_refused_waits_for_a_person(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    await desk.run(
        "UPDATE dispatcher_broadcast SET state = 'held', reason = 'area-broken'"
        " WHERE alert_id = :id",
        id=alert_id,
    )
    await desk.run("UPDATE dispatcher_alert SET announced_at = announced_at - interval '20 s'")
    await do_once(timers(desk.context))
    announced = await desk.rows(
        "SELECT 1 FROM dispatcher_outbox WHERE topic = 'alert.approved' AND key = :key",
        key=alert_id.encode(),
    )
    assert len(announced) == 1


async def reasons(desk: Desk) -> list[str]:
    """Return for which reasons somebody on duty was called."""
    rows = await desk.rows("SELECT value FROM dispatcher_outbox WHERE topic = 'notice.requested'")
    notices = [orjson.loads(row["value"])["data"] for row in rows]
    sealer = desk.context.keyring.sealer
    assert sealer is not None
    return [
        orjson.loads(sealer.unseal(one["values_sealed"], context=f"notice:{one['notice_id']}"))[
            "reason"
        ]
        for one in notices
        if one["template"] == "duty_page"
    ]
