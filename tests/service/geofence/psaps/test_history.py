"""Consolidations and corrections: what was so last year is answered for last year."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
import shapely

from services.geofence.layers.find_features import find_features
from services.geofence.psaps.boundaries import Drawings
from shared.connecticut import towns
from tests.service.geofence.psaps.desk import (
    ANDOVER,
    ANSONIA,
    ASHFORD,
    IN_ANDOVER,
    IN_ANSONIA,
    LONG_AGO,
    TOWNS,
    Desk,
    record,
)

PSAPS = "/v1/psaps"
# Midnight in Connecticut, when the layer of that date begins as well.
MERGED, DATE = "2026-04-01T04:00:00Z", "2026-04-01"
BEFORE, AFTER = "2026-04-01T03:59:59.999999Z", "2026-04-01T04:00:00.000001Z"


async def merge(desk: Desk) -> Any:
    """Give A's town to B from a date on, boundaries and directory alike."""
    both = shapely.union(TOWNS[ANDOVER], TOWNS[ANSONIA])
    await desk.draw("psap", {"B": both, "C": TOWNS[ASHFORD]}, since=DATE)
    return await desk.ok(f"{PSAPS}/A/consolidation", {"into": "B", "valid_from": MERGED})


async def owner(desk: Desk, spot: tuple[float, float], at: str) -> tuple[str, Any]:
    """Return the one centre of a point at a moment, and whether boundary and town agree."""
    answer = await desk.at(spot, at=at)
    [one] = answer["candidates"]
    assert one["psap"]["code"] == one["code"]
    return one["code"], answer["agree"]


async def test_before_at_and_after_the_instant_of_a_consolidation(desk: Desk) -> None:
    await desk.open_three()
    done = await merge(desk)
    assert [one["town"]["geoid"] for one in done["towns"]] == [ANDOVER]
    for at, code in ((BEFORE, "A"), (MERGED, "B"), (AFTER, "B"), ("2026-05-31T00:00:00Z", "B")):
        assert await owner(desk, IN_ANDOVER, at) == (code, True), at
        assert await owner(desk, IN_ANSONIA, at) == ("B", True), at
        town = await desk.get(PSAPS, town="Andover", at=at)
        assert [one["code"] for one in town["candidates"]] == [code]
        assert town["agree"] is True
    last_year = await desk.at(IN_ANDOVER, at="2025-04-01T04:00:00Z")
    assert last_year["candidates"][0]["psap"]["fallout_numbers"] == ["+18605550110"]
    assert last_year["candidates"][0]["psap"]["valid_until"] == MERGED
    assert [one["code"] for one in (await desk.get(PSAPS, at=BEFORE))["psaps"]] == ["A", "B", "C"]
    merged = (await desk.get(PSAPS, at=MERGED))["psaps"]
    assert [(one["code"], len(one["towns"])) for one in merged] == [("B", 2), ("C", 1)]


async def test_a_planned_consolidation_changes_nothing_until_its_day(desk: Desk) -> None:
    await desk.open_three()
    planned = "2027-01-01T05:00:00Z"
    await desk.ok(f"{PSAPS}/A/consolidation", {"into": "B", "valid_from": planned})
    now = await desk.at(IN_ANDOVER)
    assert [one["code"] for one in now["candidates"]] == ["A"]
    assert now["candidates"][0]["psap"]["valid_until"] == planned
    # A number may change meanwhile, and the plan stands.
    await desk.ok(
        f"{PSAPS}/A/records",
        record("A", valid_from="2026-06-01T04:00:00Z", fallout_numbers=["+18605550119"]),
    )
    soon = await desk.at(IN_ANDOVER)
    assert soon["candidates"][0]["psap"]["fallout_numbers"] == ["+18605550119"]
    then = await desk.at(IN_ANDOVER, at=planned)
    assert {one["code"]: one["by_town"] for one in then["candidates"]} == {"A": False, "B": True}
    assert then["agree"] is False


async def test_nothing_is_overwritten_and_history_names_who_and_when(desk: Desk) -> None:
    await desk.open_three()
    wrong = record("A", valid_from=MERGED, name="Centre Alpha")
    right = record("A", valid_from=MERGED, name="Centre One")
    path = f"{PSAPS}/A/records"
    assert (await desk.post(path, wrong, **desk.staff("admin", subject="bea"))).status_code == 201
    assert (await desk.post(path, right, **desk.staff("admin", subject="cleo"))).status_code == 201
    again = await desk.post(path, right)
    assert (again.status_code, again.json()["revision"]) == (200, 2)
    history = await desk.get(f"{PSAPS}/A/history")
    told = [
        (one["name"], one["valid_from"], one["revision"], one["superseded"], one["recorded_by"])
        for one in history["records"]
    ]
    assert told == [
        ("Centre A", LONG_AGO, 1, False, "ada"),
        ("Centre Alpha", MERGED, 1, True, "bea"),
        ("Centre One", MERGED, 2, False, "cleo"),
    ]
    assert [one["valid_until"] for one in history["records"]] == [MERGED, None, None]
    assert [one["town"]["geoid"] for one in history["towns"]] == [ANDOVER]
    for at, name in ((BEFORE, "Centre A"), (MERGED, "Centre One")):
        answer = await desk.at(IN_ANDOVER, at=at)
        assert answer["candidates"][0]["psap"]["name"] == name


async def test_the_end_of_a_centre_is_in_its_history(desk: Desk) -> None:
    await desk.open_three()
    await merge(desk)
    history = await desk.get(f"{PSAPS}/A/history")
    assert [(one["ended"], one["consolidated_into"]) for one in history["records"]] == [
        (False, None), (True, "B"),
    ]  # fmt: skip
    given = (await desk.get(f"{PSAPS}/B/history"))["towns"]
    assert [(one["town"]["geoid"], one["valid_from"]) for one in given] == [
        (ANSONIA, LONG_AGO), (ANDOVER, MERGED),
    ]  # fmt: skip


async def test_a_consolidation_can_be_put_off(desk: Desk) -> None:
    """What was recorded stays in the history; a correction of the same moment holds."""
    await desk.open_three()
    await desk.ok(f"{PSAPS}/A/consolidation", {"into": "B", "valid_from": MERGED})
    await desk.ok(f"{PSAPS}/A/records", record("A", valid_from=MERGED))
    await desk.ok(f"{PSAPS}/A/towns", {"valid_from": MERGED, "towns": [ANDOVER]})
    later = "2026-05-01T04:00:00Z"
    await desk.ok(f"{PSAPS}/A/consolidation", {"into": "C", "valid_from": later})
    for at, code in ((BEFORE, "A"), (MERGED, "A"), (later, "C")):
        town = await desk.get(PSAPS, town="Andover", at=at)
        assert [one["code"] for one in town["candidates"] if one["by_town"]] == [code]


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({"into": "A", "valid_from": MERGED}, 422, "unknown-psap"),
        ({"into": "Q", "valid_from": MERGED}, 422, "unknown-psap"),
        ({"into": "B", "valid_from": "2019-01-01T05:00:00Z"}, 409, "psap-not-in-force"),
        ({"into": "D", "valid_from": "2025-12-31T05:00:00Z"}, 409, "psap-not-in-force"),
        ({"into": "D", "valid_from": MERGED}, 409, "psap-not-in-force"),
        ({"into": "B", "valid_from": "2025-01-01T05:00:00Z"}, 409, "later-records"),
    ],
)
async def test_a_consolidation_that_cannot_be(
    desk: Desk, body: dict[str, str], status: int, slug: str
) -> None:
    await desk.open_three()
    await desk.ok(PSAPS, {**record("D", valid_from="2026-01-01T05:00:00Z"), "code": "D"})
    ended = {"into": "C", "valid_from": "2026-03-01T05:00:00Z"}
    await desk.ok(f"{PSAPS}/D/consolidation", ended)
    await desk.ok(f"{PSAPS}/A/records", record("A", valid_from="2026-02-01T05:00:00Z"))
    before = await desk.get(f"{PSAPS}/A/history")
    answer = await desk.post(f"{PSAPS}/A/consolidation", body)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, slug)
    assert await desk.get(f"{PSAPS}/A/history") == before


async def test_no_centre_ends_while_a_town_is_still_to_come_to_it(desk: Desk) -> None:
    await desk.open_three()
    await desk.ok(f"{PSAPS}/A/towns", {"valid_from": "2026-08-01T04:00:00Z", "towns": [ASHFORD]})
    answer = await desk.post(f"{PSAPS}/A/consolidation", {"into": "B", "valid_from": MERGED})
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "towns-left")
    assert "Ashford" in answer.json()["detail"]
    assert await owner(desk, IN_ANDOVER, MERGED) == ("A", True)


async def test_no_town_goes_to_a_centre_that_is_not_there(desk: Desk) -> None:
    await desk.open_three()
    await merge(desk)
    for at in ("2019-01-01T05:00:00Z", "2026-03-31T04:00:00Z", MERGED):
        body = {"valid_from": at, "towns": [ASHFORD]}
        answer = await desk.post(f"{PSAPS}/A/towns", body)
        assert answer.status_code == 409, at
        assert answer.json()["type"].rpartition(":")[2] == "psap-not-in-force"
    unknown = await desk.post(f"{PSAPS}/B/towns", {"valid_from": MERGED, "towns": ["0900000000"]})
    assert unknown.status_code == 422
    assert (await desk.get(f"{PSAPS}/C/history"))["towns"][0]["valid_until"] is None


async def test_every_town_has_exactly_one_centre_at_any_moment(desk: Desk) -> None:
    every = [town.geoid for town in towns()]
    for code in "ABC":
        await desk.ok(PSAPS, {**record(code), "code": code})
    await desk.ok(f"{PSAPS}/A/towns", {"valid_from": LONG_AGO, "towns": every})
    moments = [f"2026-0{month}-01T05:00:00Z" for month in (1, 2, 3)]
    await desk.ok(f"{PSAPS}/B/towns", {"valid_from": moments[0], "towns": every[::2]})
    await desk.ok(f"{PSAPS}/C/towns", {"valid_from": moments[1], "towns": every[::3]})
    await desk.ok(f"{PSAPS}/A/consolidation", {"into": "B", "valid_from": moments[2]})
    for at in (LONG_AGO, *moments, "2025-12-31T23:59:59Z", "2030-01-01T00:00:00Z"):
        page = await desk.get(PSAPS, at=at)
        served = [town["geoid"] for one in page["psaps"] for town in one["towns"]]
        assert sorted(served) == sorted(every), at
    report = await desk.get(f"{PSAPS}/compliance")
    assert report["towns_without_psap"] == []


async def test_two_changes_at_once_leave_no_town_without_a_centre(desk: Desk) -> None:
    await desk.open_three()
    for number in range(4):
        at = f"2026-0{number + 5}-01T04:00:00Z"
        end, give = await asyncio.gather(
            desk.post(f"{PSAPS}/C/consolidation", {"into": "B", "valid_from": at}),
            desk.post(f"{PSAPS}/C/towns", {"valid_from": at, "towns": [ANDOVER]}),
        )
        assert sorted((end.status_code, give.status_code)) in ([200, 200], [200, 409])
        page = await desk.get(PSAPS, at=at)
        served = sorted(town["geoid"] for one in page["psaps"] for town in one["towns"])
        assert served == sorted(TOWNS)
        # Undo, so that it can be tried again a month later.
        await desk.ok(f"{PSAPS}/C/records", record("C", valid_from=at))
        await desk.ok(f"{PSAPS}/C/towns", {"valid_from": at, "towns": [ASHFORD]})


async def test_boundaries_imported_later_answer_for_their_own_time(desk: Desk) -> None:
    """History may be handed in afterwards: each version answers from its date on."""
    await desk.draw("psap", {"NEW": TOWNS[ANDOVER]}, since="2025-01-01")
    await desk.draw("psap", {"OLD": TOWNS[ANDOVER]}, since="2023-07-01")
    for at, codes in (
        ("2023-06-30T00:00:00Z", None),
        # Midnight in Connecticut in summer, and in winter.
        ("2023-07-01T03:59:59Z", None),
        ("2023-07-01T04:00:00Z", ["OLD"]),
        ("2025-01-01T04:59:59Z", ["OLD"]),
        ("2025-01-01T05:00:00Z", ["NEW"]),
    ):
        answer = await desk.ask(PSAPS, lon=IN_ANDOVER[0], lat=IN_ANDOVER[1], at=at)
        if codes is None:
            assert answer.status_code == 409, at
        else:
            assert [one["code"] for one in answer.json()["candidates"]] == codes, at
    # What was handed in for its own time does not take the place of today's, nor when repeated.
    await desk.draw("psap", {"OLD": TOWNS[ANDOVER]}, since="2023-07-01")
    async with desk.database.transaction() as tx:
        assert await in_force(tx) == "NEW"
    # Without a date it is meant for now.
    await desk.draw("psap", {"OLD": TOWNS[ANDOVER]}, since=None)
    async with desk.database.transaction() as tx:
        assert await in_force(tx) == "OLD"


async def in_force(tx: Any) -> str:
    """Return the one code of the boundaries in force now, and see that all layers' rule agrees."""
    found = await find_features(tx, "psap")
    here = await Drawings().at(tx, "psap", datetime.now(UTC))
    assert found is not None
    assert here is not None
    assert [one.code for one in found[1]] == list(here.codes)
    return here.codes[0]
