"""Evacuation zones under an order that no live alert covers: the omission that kills."""

from datetime import UTC, datetime, timedelta

import pytest
import shapely

from shared.db.session import execute
from tests.service.geofence.psaps.coverage.evacuation import (
    COVERAGE,
    EAST,
    STATUSES,
    WEST,
    ZONES,
    alert,
    end,
    gaps,
    ids,
    order,
    said,
    say,
)
from tests.service.geofence.psaps.desk import Desk


@pytest.fixture(autouse=True)
def present(desk: Desk) -> None:
    """Let the desk's clock tell the time of the database, by which alerts live and end."""
    desk.clock.moment = datetime.now(UTC)


@pytest.mark.shows("G12")
async def test_zones_under_an_order_without_an_alert_are_found(desk: Desk) -> None:
    await order(desk, "W", "E", "Y")
    none = await desk.get(COVERAGE)
    assert gaps(none) == {"W": "wholly", "E": "wholly", "Y": "wholly"}
    assert none["all_covered"] is False
    assert none["statuses_known"] is True
    assert none["zones_without_status"] == 1
    one = none["uncovered"][-1]
    assert (one["zone"], one["name"], one["status"], one["said_by"]) == (
        "Y", "Zone Y", "order", "ada",
    )  # fmt: skip
    assert one["uncovered_km2"] == one["km2"] == pytest.approx(22.2, abs=0.1)
    over_west = await alert(desk, WEST)
    answer = await desk.get(COVERAGE)
    assert gaps(answer) == {"E": "wholly", "Y": "wholly"}
    [covered] = answer["covered"]
    assert (covered["zone"], covered["gap"], covered["uncovered_km2"]) == ("W", None, 0)
    assert ids(covered) == [str(over_west)]
    await alert(desk, EAST, ZONES["Y"])
    answer = await desk.get(COVERAGE)
    assert answer["uncovered"] == []
    assert answer["all_covered"] is True
    assert answer["live_alerts"] == 2


@pytest.mark.shows("G12")
async def test_partly_covered_zones_are_measured_and_judged_by_the_tolerance(desk: Desk) -> None:
    await order(desk, "W")
    first = await alert(desk, shapely.box(-72.8, 41.5, -72.775, 41.6))
    answer = await desk.get(COVERAGE)
    assert gaps(answer) == {"W": "partly"}
    [one] = answer["uncovered"]
    assert one["uncovered_share"] == pytest.approx(0.5, abs=1e-6)
    assert one["uncovered_km2"] == pytest.approx(one["km2"] / 2, rel=1e-6)
    assert ids(one) == [str(first)]
    tolerated = await desk.get(COVERAGE, tolerance=0.5)
    assert gaps(tolerated) == {}
    assert tolerated["covered"][0]["uncovered_km2"] == one["uncovered_km2"]
    assert gaps(await desk.get(COVERAGE, tolerance=0.499)) == {"W": "partly"}
    # The rest by another alert: together they cover what neither does alone.
    second = await alert(desk, shapely.box(-72.776, 41.5, -72.7, 41.6))
    answer = await desk.get(COVERAGE)
    assert answer["all_covered"] is True
    assert sorted(ids(answer["covered"][0])) == sorted([str(first), str(second)])


@pytest.mark.shows("G12")
@pytest.mark.parametrize(("metres", "gap"), [(0.9, {}), (1.5, {"W": "partly"})])
async def test_rounding_between_two_drawings_is_no_gap(
    desk: Desk, metres: float, gap: dict[str, str]
) -> None:
    await order(desk, "W")
    await alert(desk, shapely.box(-72.8 + metres / 83_200, 41.5, -72.75, 41.6))
    assert gaps(await desk.get(COVERAGE)) == gap


@pytest.mark.shows("G12", "S05")
async def test_nothing_known_is_never_all_covered(desk: Desk) -> None:
    no_layer = await desk.ask(COVERAGE)
    assert (no_layer.status_code, no_layer.json()["type"].rpartition(":")[2]) == (
        409, "no-evacuation-layer",
    )  # fmt: skip
    refused = await desk.post(STATUSES, {"statuses": [said("W")]})
    assert refused.json()["type"].rpartition(":")[2] == "no-evacuation-layer"
    await desk.draw("evacuation_zone", ZONES)
    answer = await desk.get(COVERAGE)
    assert answer["statuses_known"] is False
    assert answer["all_covered"] is None
    assert answer["zones_without_status"] == 4
    # Something else is known of one zone: then nothing is under an order, and that is said.
    await say(desk, said("W", "none"))
    answer = await desk.get(COVERAGE)
    assert (answer["statuses_known"], answer["all_covered"]) == (True, True)
    assert answer["zones_without_status"] == 3


@pytest.mark.shows("G12")
async def test_only_what_is_asked_counts_and_shelter_is_an_order(desk: Desk) -> None:
    await desk.draw("evacuation_zone", ZONES)
    await say(desk, said("W", "watch"), said("E", "warning"), said("X", "shelter"),
              said("Y", "all_clear"))  # fmt: skip
    assert gaps(await desk.get(COVERAGE)).keys() == {"X"}
    assert gaps(await desk.get(COVERAGE, at_least="warning")).keys() == {"X", "E"}
    assert gaps(await desk.get(COVERAGE, at_least="watch")).keys() == {"X", "E", "W"}
    assert (await desk.ask(COVERAGE, at_least="none")).status_code == 422
    for tolerance in ("-0.1", "0.6", "nan"):
        assert (await desk.ask(COVERAGE, tolerance=tolerance)).status_code == 422


@pytest.mark.shows("G12")
async def test_an_alert_covers_from_when_its_people_are_found_until_it_ends(desk: Desk) -> None:
    await order(desk, "W")
    unresolved = await alert(desk, WEST, members=None)
    answer = await desk.get(COVERAGE)
    assert gaps(answer) == {"W": "wholly"}
    assert [one["alert_id"] for one in answer["unresolved_alerts"]] == [str(unresolved)]
    before = answer["at"]
    over = await alert(desk, WEST)
    covered = await desk.get(COVERAGE)
    assert covered["all_covered"] is True
    await end(desk, over)
    assert gaps(await desk.get(COVERAGE)) == {"W": "wholly"}
    # What was so at a moment is still answered for that moment.
    assert gaps(await desk.get(COVERAGE, at=before)) == {"W": "wholly"}
    assert (await desk.get(COVERAGE, at=covered["at"]))["all_covered"] is True
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    future = await desk.ask(COVERAGE, at=later)
    assert future.json()["errors"] == [{"pointer": "query:at", "code": "in-future"}]


@pytest.mark.shows("G12")
async def test_an_expired_or_superseded_version_covers_nothing(desk: Desk) -> None:
    await order(desk, "W", "E")
    over = await alert(desk, WEST, EAST)
    await alert(desk, WEST, alert_id=over, version=2)
    answer = await desk.get(COVERAGE)
    assert gaps(answer) == {"E": "wholly"}
    assert answer["covered"][0]["alerts"] == [{"alert_id": str(over), "version": 2}]
    await alert(desk, EAST, lives=timedelta(milliseconds=50))
    answer = await desk.get(COVERAGE)
    while answer["live_alerts"] > 1:
        answer = await desk.get(COVERAGE)
    assert gaps(answer) == {"E": "wholly"}


@pytest.mark.shows("G12", "S05")
async def test_an_alert_whose_area_cannot_be_read_covers_nothing_and_is_named(desk: Desk) -> None:
    await order(desk, "W")
    over = await alert(desk, WEST)
    async with desk.database.transaction() as tx:
        await execute(tx, "UPDATE geofence_live_alert SET area_wkb = '\\x0106'")
    answer = await desk.get(COVERAGE)
    assert gaps(answer) == {"W": "wholly"}
    assert answer["unreadable_alerts"] == [{"alert_id": str(over), "version": 1}]


@pytest.mark.shows("G12")
async def test_a_zone_that_a_newer_layer_does_not_draw_is_not_forgotten(desk: Desk) -> None:
    await order(desk, "W", "Y")
    await alert(desk, WEST)
    await desk.draw("evacuation_zone", {"W": WEST, "N": ZONES["Y"]})
    answer = await desk.get(COVERAGE)
    assert [one["zone"] for one in answer["not_in_layer"]] == ["Y"]
    assert answer["uncovered"] == []
    assert answer["all_covered"] is False
    assert answer["layer"]["version"] == 2
    gone = await desk.post(STATUSES, {"statuses": [said("Y")]})
    assert gone.json()["errors"] == [{"pointer": "/statuses/0/zone", "code": "unknown-zone"}]
