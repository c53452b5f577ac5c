"""Alerts that the geofence refuses are held, once, and only those it means."""

from uuid import UUID, uuid4

import pytest

from services.dispatcher.recipients.hold_refused import hold_refused
from shared.bus.errors import NotYet
from shared.db.session import ALL_TOWNS
from shared.events.audience import AudienceRefused
from shared.events.envelope import Poison
from tests.service.dispatcher.delivery.stage import AREA, Stage


async def refuse(stage: Stage, alert_id: UUID, *, digest: str = AREA) -> list[str]:
    event = AudienceRefused(
        alert_id=alert_id, version=1, area_digest=digest, reason="audience-outside-area"
    )
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        before = len(stage.pages)
        await hold_refused(tx, event, page=stage.page)
        return stage.pages[before:]


async def state(stage: Stage, alert_id: UUID) -> tuple[str, str | None]:
    (row,) = await stage.rows(
        "SELECT state, reason FROM dispatcher_broadcast WHERE alert_id = :id", id=alert_id
    )
    return row["state"], row["reason"]


@pytest.mark.shows("M13")
async def test_what_is_not_under_way_of_a_refused_alert_is_not_sent(stage: Stage) -> None:
    alert_id, (delivery_id, other) = await stage.sendable(2)
    assert len(await stage.claim(delivery_id)) == 1
    (reason,) = await refuse(stage, alert_id)
    assert "audience-outside-area" in reason
    assert await state(stage, alert_id) == ("held", "audience-outside-area")
    assert await stage.claim(other) == []
    # It pages once; told again it is held already.
    assert await refuse(stage, alert_id) == []


async def test_a_refusal_of_another_area_or_of_no_alert_holds_nothing(stage: Stage) -> None:
    alert_id = await stage.broadcast()
    with pytest.raises(Poison, match="area-of-another-alert"):
        await refuse(stage, alert_id, digest="cd" * 32)
    assert await state(stage, alert_id) == ("live", None)
    with pytest.raises(NotYet):
        await refuse(stage, uuid4())


async def test_what_was_stopped_stays_stopped(stage: Stage) -> None:
    alert_id = await stage.broadcast()
    await stage.run("UPDATE dispatcher_broadcast SET state = 'stopped' WHERE alert_id = :id",
                    id=alert_id)  # fmt: skip
    assert await refuse(stage, alert_id) == []
    assert (await state(stage, alert_id))[0] == "stopped"
