"""What the geofence refuses reaches the person on duty, by way of the dispatcher."""

from collections.abc import Callable

import orjson
import pytest

from shared.events.alert import AlertApproved
from tests.conftest import KeyRings
from tests.contract.apis.hops import Hops, open_hops
from tests.servers import ServiceDatabase
from tests.service.geofence.parts import eventually
from tests.service.geofence.world import approved


@pytest.mark.shows("M13", "S05")
async def test_an_alert_without_a_good_area_is_held_and_pages_the_duty_address(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings, kafka: str
) -> None:
    async with open_hops(database, keyrings, kafka) as hops:
        good, cut_off = approved(), approved()
        cut_off = cut_off.model_copy(update={"area_wkb": cut_off.area_wkb[:20]})
        for one in (good, cut_off):
            await hops.stage.broadcast(alert_id=one.alert_id, area_digest=one.area_digest)
        await hops.send(cut_off, by="dispatcher")
        await hops.send(good, by="dispatcher")
        await eventually(lambda: _is(hops, cut_off, "held"))
        await eventually(lambda: _reaches_somebody(hops, good))
        assert await _is(hops, good, "live")
        assert not await _reaches_somebody(hops, cut_off)
        reasons = await _told_to_duty(hops)
    assert [one for one in reasons if str(cut_off.alert_id) in one and "area-broken" in one]
    assert not [one for one in reasons if str(good.alert_id) in one]


async def _is(hops: Hops, alert: AlertApproved, state: str) -> bool:
    rows = await hops.stage.rows(
        "SELECT state FROM dispatcher_broadcast WHERE alert_id = :id", id=alert.alert_id
    )
    return [row["state"] for row in rows] == [state]


async def _reaches_somebody(hops: Hops, alert: AlertApproved) -> bool:
    return bool(
        await hops.stage.rows(
            "SELECT 1 FROM dispatcher_delivery WHERE alert_id = :id", id=alert.alert_id
        )
    )


async def _told_to_duty(hops: Hops) -> list[str]:
    """Return the reasons of the notices to the duty address."""

    async def some() -> bool:
        return bool(await hops.stage.rows(NOTICES))

    await eventually(some)
    notices = [orjson.loads(row["value"])["data"] for row in await hops.stage.rows(NOTICES)]
    unseal = hops.stage.sealer.unseal
    assert {unseal(one["address_sealed"], context="address") for one in notices} == {
        b"duty@example.org"
    }
    return [
        orjson.loads(unseal(one["values_sealed"], context=f"notice:{one['notice_id']}"))["reason"]
        for one in notices
    ]


NOTICES = "SELECT value FROM dispatcher_outbox WHERE topic = 'notice.requested'"
