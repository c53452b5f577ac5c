"""What is said of evacuation zones: by whom, of when, and never half a list."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from shared.db.session import execute
from tests.service.geofence.psaps.coverage.evacuation import (
    COVERAGE,
    STATUSES,
    ZONES,
    ago,
    gaps,
    order,
    said,
    say,
)
from tests.service.geofence.psaps.desk import ANDOVER, ANSONIA, ASHFORD, TOWNS, Desk


@pytest.fixture(autouse=True)
def present(desk: Desk) -> None:
    """Let the desk's clock tell the time of the database, by which alerts live and end."""
    desk.clock.moment = datetime.now(UTC)


async def test_the_newest_status_holds_whatever_comes_in_late(desk: Desk) -> None:
    await desk.draw("evacuation_zone", ZONES)
    first, second = ago(minutes=30), ago(minutes=20)
    assert await say(desk, said("W", "order", second)) == {"kept": 1, "unchanged": 0, "older": []}
    late = await say(desk, said("W", "watch", first))
    assert late == {"kept": 1, "unchanged": 0, "older": ["W"]}
    assert gaps(await desk.get(COVERAGE)) == {"W": "wholly"}
    assert await say(desk, said("W", "order", second)) == {"kept": 0, "unchanged": 1, "older": []}
    # The same moment said again is a correction, and so is saying the first again.
    await say(desk, said("W", "all_clear", second))
    assert gaps(await desk.get(COVERAGE)) == {}
    assert await say(desk, said("W", "order", second)) == {"kept": 1, "unchanged": 0, "older": []}
    assert gaps(await desk.get(COVERAGE)) == {"W": "wholly"}
    assert (await desk.get(COVERAGE, at=ago(minutes=25)))["uncovered"] == []
    assert (await desk.get(COVERAGE, at=ago(minutes=35)))["all_covered"] is None


async def test_an_order_from_a_clock_ahead_of_ours_counts_at_once(desk: Desk) -> None:
    await desk.draw("evacuation_zone", ZONES)
    await say(desk, said("W", "order", (datetime.now(UTC) + timedelta(seconds=50)).isoformat()))
    assert gaps(await desk.get(COVERAGE)) == {"W": "wholly"}


@pytest.mark.parametrize(
    ("statuses", "faults"),
    [
        ([said("W"), said("Q"), said("E"), said("R")],
         [("/statuses/1/zone", "unknown-zone"), ("/statuses/3/zone", "unknown-zone")]),
        ([said("W", at="2126-01-01T00:00:00Z")], [("/statuses/0/at", "in-future")]),
        ([said("W", at="1900-01-01T00:00:00Z")], [("/statuses/0/at", "out-of-range")]),
        ([said("W", "order", "2026-01-01T00:00:00Z"), said("W", "none", "2026-01-01T00:00:00Z")],
         [("/statuses/1", "duplicate")]),
        ([said("W", "go")], [("/statuses/0/status", "literal-error")]),
        ([said("W", at="2026-01-01T00:00:00")], [("/statuses/0/at", "timezone-aware")]),
        ([{**said("W"), "by": "me"}], [("/statuses/0/by", "unknown-field")]),
        ([], [("/statuses", "too-short")]),
    ],
    ids=["unknown", "future", "past", "twice", "status", "zone", "field", "none"],
)  # fmt: skip
async def test_a_list_with_a_fault_is_refused_as_a_whole(
    desk: Desk, statuses: list[dict[str, str]], faults: list[tuple[str, str]]
) -> None:
    await desk.draw("evacuation_zone", ZONES)
    answer = await desk.post(STATUSES, {"statuses": statuses})
    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == faults
    assert (await desk.get(COVERAGE))["statuses_known"] is False


@pytest.mark.shows("S10")
async def test_a_towns_manager_speaks_of_zones_in_that_town_only(desk: Desk) -> None:
    await desk.draw("evacuation_zone", ZONES)
    andover = desk.staff("manager", town=ANDOVER)
    early = await desk.post(STATUSES, {"statuses": [said("W")]}, **andover)
    assert (early.status_code, early.json()["type"].rpartition(":")[2]) == (
        409, "no-town-boundary",
    )  # fmt: skip
    await desk.draw("town", TOWNS)
    await say(desk, said("W"), said("X"), **andover)
    await say(desk, said("X", at=ago(seconds=30)), **desk.staff("manager", town=ANSONIA))
    for town, zones, faults in (
        (ANDOVER, ("W", "Y"), ["/statuses/1/zone"]),
        # Its border touches the town, and no more.
        (ANSONIA, ("E",), ["/statuses/0/zone"]),
        (ASHFORD, ("X", "W"), ["/statuses/0/zone", "/statuses/1/zone"]),
        ("nowhere", ("W",), None),
    ):
        headers = desk.staff("manager", town=town)
        body = {"statuses": [said(zone, "all_clear") for zone in zones]}
        answer = await desk.post(STATUSES, body, **headers)
        assert answer.status_code == (403 if faults else 409), town
        if faults:
            assert [one["pointer"] for one in answer.json()["errors"]] == faults
    assert gaps(await desk.get(COVERAGE)).keys() == {"W", "X"}
    await say(desk, said("W", "none"), said("Y"), **desk.staff("manager"))
    assert gaps(await desk.get(COVERAGE)).keys() == {"X", "Y"}
    for role in ("viewer", "partner"):
        assert (await desk.post(STATUSES, {}, **desk.staff(role))).status_code == 403


INSERT = (
    "INSERT INTO geofence_zone_status (status_id, zone, status, said_at, recorded_by, by_town)"
    " VALUES "
)


@pytest.mark.shows("S10")
@pytest.mark.parametrize(
    ("town", "sql", "error"),
    [
        (
            ANDOVER,
            INSERT + "(gen_random_uuid(), 'W', 'none', now(), 'duty', '*')",
            "row-level security",
        ),
        ("*", "UPDATE geofence_zone_status SET status = 'none'", "only ever added to"),
        ("*", "DELETE FROM geofence_zone_status", "only ever added to"),
    ],
    ids=["as another", "update", "delete"],
)
async def test_the_database_keeps_what_was_said(
    desk: Desk, town: str, sql: str, error: str
) -> None:
    await order(desk, "W")
    with pytest.raises(DBAPIError, match=error):
        async with desk.database.transaction(town=town) as tx:
            await execute(tx, sql)
    assert gaps(await desk.get(COVERAGE)) == {"W": "wholly"}
