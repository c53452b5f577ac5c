"""Live alerts that warn nobody cover nothing: empty, refused, no more than a test, altered."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
import shapely
from prometheus_client import REGISTRY

from services.geofence.audience import store
from shared.db.session import execute
from tests.service.geofence.psaps.coverage.evacuation import (
    COVERAGE,
    EAST,
    WEST,
    alert,
    complete,
    end,
    gaps,
    join,
    order,
)
from tests.service.geofence.psaps.desk import Desk

IDLE = ("unresolved", "empty", "refused", "not_actual", "unreadable")


@pytest.fixture(autouse=True)
def present(desk: Desk) -> None:
    """Let the desk's clock tell the time of the database, by which alerts live and end."""
    desk.clock.moment = datetime.now(UTC)


async def idle(desk: Desk, **query: str) -> dict[str, list[str]]:
    """Return the alerts that cover nothing, by why; the one zone is covered if there are none."""
    answer = await desk.get(COVERAGE, **query)
    found = {why: [one["alert_id"] for one in answer[f"{why}_alerts"]] for why in IDLE}
    told = {why: alerts for why, alerts in found.items() if alerts}
    assert answer["all_covered"] is (not told)
    assert gaps(answer) == ({"W": "wholly"} if told else {})
    assert answer["live_alerts"] == (0 if told else 1)
    return told


async def refuse(desk: Desk, alert_id: UUID) -> bool:
    """Note on the one live alert that it is refused."""
    async with desk.database.transaction() as tx:
        [live] = await store.live_alerts(tx)
        assert live.alert_id == alert_id
        return await store.note_refused(
            tx, live, digest=live.digest, reason="audience-outside-area"
        )


@pytest.mark.shows("G12")
async def test_an_alert_that_found_nobody_covers_nothing(desk: Desk) -> None:
    await order(desk, "W")
    nobody = await alert(desk, WEST, members=0)
    assert await idle(desk) == {"empty": [str(nobody)]}
    # The first run has held it, and a hold is not lifted by what another finds.
    await complete(desk, nobody, members=3)
    assert await idle(desk) == {"empty": [str(nobody)]}
    await end(desk, nobody)
    somebody = await alert(desk, WEST, members=3)
    await complete(desk, somebody, members=0)
    assert await idle(desk) == {}


@pytest.mark.shows("G12")
async def test_an_alert_that_found_nobody_covers_where_it_is_sent_for_all_that(desk: Desk) -> None:
    await order(desk, "W")
    for_whoever_comes = await alert(desk, WEST, members=0, nobody_yet=True)
    assert await idle(desk) == {}
    await end(desk, for_whoever_comes)
    joined = await alert(desk, WEST, members=None)
    await join(desk, joined)
    await complete(desk, joined, members=0)
    assert await idle(desk) == {}
    await end(desk, joined)
    held = await alert(desk, WEST, members=0)
    # It was held before that.
    await join(desk, held)
    assert await idle(desk) == {"empty": [str(held)]}


@pytest.mark.shows("G12")
async def test_an_alert_covers_until_it_is_refused(desk: Desk) -> None:
    await order(desk, "W")
    over = await alert(desk, WEST)
    before = (await desk.get(COVERAGE))["at"]
    assert await refuse(desk, over)
    assert not await refuse(desk, over)
    assert await idle(desk) == {"refused": [str(over)]}
    held = (await desk.get(COVERAGE))["at"]
    await complete(desk, over, members=1)
    assert await idle(desk) == {"refused": [str(over)]}
    # What was so at a moment stays so, also when the alert has ended since.
    await end(desk, over)
    assert await idle(desk, at=before) == {}
    assert await idle(desk, at=held) == {"refused": [str(over)]}


@pytest.mark.shows("G12")
@pytest.mark.parametrize("status", ["Exercise", "Test", "System"])
async def test_only_an_actual_alert_covers(desk: Desk, status: str) -> None:
    await order(desk, "W")
    practice = await alert(desk, WEST, status=status)
    assert await idle(desk) == {"not_actual": [str(practice)]}


@pytest.mark.shows("G12", "S05")
async def test_an_area_that_was_altered_covers_nothing_and_pages_once(desk: Desk) -> None:
    await order(desk, "W")
    over = await alert(desk, EAST)
    wider = shapely.to_wkb(shapely.union(WEST, EAST))
    async with desk.database.transaction() as tx:
        await execute(tx, "UPDATE geofence_live_alert SET area_wkb = :wkb", wkb=wider)
    paged = pages()
    for _ in range(2):
        assert await idle(desk) == {"unreadable": [str(over)]}
    assert pages() == paged + 1


def pages() -> float:
    """Return how often somebody was called to a broken area."""
    labels = {"service": "geofence", "reason": "area-broken"}
    return REGISTRY.get_sample_value("ctalert_pages_total", labels) or 0.0
