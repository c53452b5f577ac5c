"""An alert as it goes its way over the bus: it covers a zone from its audience to its end."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.psaps.desk import open_psaps
from tests.service.geofence.world import AREA, INSIDE, World, approved, ended, place_changed


@pytest.mark.shows("G12")
async def test_a_real_alert_covers_its_zone_until_it_ends(world: World, keyrings: KeyRings) -> None:
    url = world.database.engine.url.render_as_string(hide_password=False)
    alert = approved()
    resolver = world.resolver()
    async with open_psaps(ServiceDatabase("geofence", "", url, "", url), keyrings) as desk:
        desk.clock.moment = datetime.now(UTC)
        await desk.draw("evacuation_zone", {"Z": AREA})
        at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        order = {"zone": "Z", "status": "order", "at": at}
        await desk.ok("/v1/evacuation-zones/statuses", {"statuses": [order]})

        async def covered() -> bool:
            return bool((await desk.get("/v1/coverage"))["all_covered"])

        async def uncovered() -> bool:
            return not await covered()

        assert await uncovered()
        async with running(world.tail(), resolver):
            await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
            await world.roster.loaded.wait()
            await world.indexed()
            async with running(world.audience(resolver)):
                await world.send(alert)
                await eventually(covered)
                [zone] = (await desk.get("/v1/coverage"))["covered"]
                assert [one["alert_id"] for one in zone["alerts"]] == [str(alert.alert_id)]
                await world.send(ended(alert))
                await eventually(uncovered)
        [zone] = (await desk.get("/v1/coverage"))["uncovered"]
        assert (zone["zone"], zone["gap"]) == ("Z", "wholly")
