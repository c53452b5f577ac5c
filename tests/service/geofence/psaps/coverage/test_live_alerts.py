"""An alert as it goes its way over the bus: it covers a zone from its audience to its end."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.events.envelope import Poison
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.lying import Lying
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.psaps.desk import Desk, open_psaps
from tests.service.geofence.world import AREA, INSIDE, World, approved, ended, place_changed

COVERAGE = "/v1/coverage"


@pytest.fixture
async def zone(world: World, keyrings: KeyRings) -> AsyncIterator[Desk]:
    """The directory beside the bus, with a zone under an order."""
    url = world.database.engine.url.render_as_string(hide_password=False)
    async with open_psaps(ServiceDatabase("geofence", "", url, "", url), keyrings) as desk:
        desk.clock.moment = datetime.now(UTC)
        await desk.draw("evacuation_zone", {"Z": AREA})
        at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        order = {"zone": "Z", "status": "order", "at": at}
        await desk.ok("/v1/evacuation-zones/statuses", {"statuses": [order]})
        yield desk


async def uncovered(desk: Desk) -> Any:
    """Return what is said of the zone, which nothing covers."""
    answer = await desk.get(COVERAGE)
    assert answer["all_covered"] is False
    assert [(one["zone"], one["gap"]) for one in answer["uncovered"]] == [("Z", "wholly")]
    return answer


@pytest.mark.shows("G12")
async def test_a_real_alert_covers_its_zone_until_it_ends(world: World, zone: Desk) -> None:
    alert = approved()
    resolver = world.resolver()

    async def covered() -> bool:
        return bool((await zone.get(COVERAGE))["all_covered"])

    async def over() -> bool:
        return not await covered()

    await uncovered(zone)
    async with running(world.tail(), resolver):
        await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
        await world.roster.loaded.wait()
        await world.indexed()
        async with running(world.audience(resolver)):
            await world.send(alert)
            await eventually(covered)
            [one] = (await zone.get(COVERAGE))["covered"]
            assert [over["alert_id"] for over in one["alerts"]] == [str(alert.alert_id)]
            await world.send(ended(alert))
            await eventually(over)
    await uncovered(zone)


@pytest.mark.shows("G12", "M13")
async def test_what_a_replica_refuses_covers_nothing_whatever_another_found(
    world: World, zone: Desk
) -> None:
    alert, lying = approved(), Lying()
    liar = world.seen_by(lying)
    async with running(world.tail(), liar.tail()):
        await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
        await lying.loaded.wait()
        await world.indexed()
        await liar.indexed()
        await world.resolver().resolve(alert)
        assert (await zone.get(COVERAGE))["all_covered"] is True
        with pytest.raises(Poison, match="audience-outside-area"):
            await liar.resolver().resolve(alert)
        answer = await uncovered(zone)
        assert answer["refused_alerts"] == [{"alert_id": str(alert.alert_id), "version": 1}]
        # The hold is not lifted by another good run, so neither is this.
        await world.resolver().resolve(alert)
        await uncovered(zone)


@pytest.mark.shows("G12")
async def test_what_finds_nobody_or_is_an_exercise_covers_nothing(world: World, zone: Desk) -> None:
    nobody, exercise = approved(), approved().model_copy(update={"status": "Exercise"})
    async with running(world.tail()):
        await world.roster.loaded.wait()
        await world.indexed()
        await world.resolver().resolve(nobody)
        await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
        await world.indexed()
        await world.resolver().resolve(exercise)
    answer = await uncovered(zone)
    assert [one["alert_id"] for one in answer["empty_alerts"]] == [str(nobody.alert_id)]
    assert [one["alert_id"] for one in answer["not_actual_alerts"]] == [str(exercise.alert_id)]
