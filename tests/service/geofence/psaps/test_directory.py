"""Which 9-1-1 centre a point or a town has, and the numbers kept of it."""

from typing import Any

import pytest
import shapely

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


def codes(answer: Any) -> list[str]:
    """Return the codes of the candidates."""
    return [one["code"] for one in answer["candidates"]]


async def test_a_point_has_the_centre_of_its_boundary_and_town(desk: Desk) -> None:
    await desk.open_three()
    answer = await desk.at(IN_ANDOVER)
    [one] = answer["candidates"]
    assert (one["code"], one["boundary"], one["by_town"]) == ("A", "inside", True)
    assert answer["agree"] is True
    assert answer["on_edge"] is False
    assert answer["towns"] == [{"geoid": ANDOVER, "name": "Andover"}]
    assert [(layer["kind"], layer["version"]) for layer in answer["layers"]] == [
        ("psap", 1), ("town", 1),
    ]  # fmt: skip
    psap = one["psap"]
    assert psap["fallout_numbers"] == ["+18605550110"]
    assert psap["emergency_numbers"] == ["+18605550120"]
    assert psap["police"]["number"] == "+18605550130"
    assert psap["interpreter"]["limit"] == "Only for 9-1-1 calls."
    assert psap["towns"] == [{"geoid": ANDOVER, "name": "Andover"}]
    assert psap["valid_from"] == LONG_AGO
    assert psap["valid_until"] is None


@pytest.mark.shows("G10")
@pytest.mark.parametrize(
    ("lon", "expected"),
    [
        (-72.7, ["A", "B"]),
        # 0.8 m to either side, and 1.7 m.
        (-72.70001, ["A", "B"]),
        (-72.69999, ["A", "B"]),
        (-72.70002, ["A"]),
        (-72.69998, ["B"]),
    ],
)
async def test_on_an_edge_both_sides_are_candidates(
    desk: Desk, lon: float, expected: list[str]
) -> None:
    await desk.open_three()
    answer = await desk.at((lon, 41.55))
    assert codes(answer) == expected
    assert answer["on_edge"] is (len(expected) == 2)
    assert answer["agree"] is True


async def test_a_town_is_asked_by_name_or_either_geoid(desk: Desk) -> None:
    await desk.open_three()
    for town in (ANSONIA, "0914001220", "ansonia", "  ANSONIA "):
        answer = await desk.get(PSAPS, town=town)
        [one] = answer["candidates"]
        assert (one["code"], one["boundary"], one["by_town"]) == ("B", "whole", True)
        assert one["share_of_town"] == pytest.approx(1)
        assert answer["agree"] is True


async def test_boundary_and_town_that_disagree_are_both_shown(desk: Desk) -> None:
    await desk.open_three()
    wider = shapely.box(-72.8, 41.5, -72.65, 41.6)
    rest = shapely.box(-72.65, 41.5, -72.6, 41.6)
    await desk.draw("psap", {"A": wider, "B": rest}, since="2026-02-01")
    point = await desk.at((-72.68, 41.55))
    assert codes(point) == ["A", "B"]
    assert [(one["boundary"], one["by_town"]) for one in point["candidates"]] == [
        ("inside", False), (None, True),
    ]  # fmt: skip
    assert point["agree"] is False
    town = await desk.get(PSAPS, town=ANSONIA)
    assert [(one["code"], one["boundary"]) for one in town["candidates"]] == [
        ("A", "part"), ("B", "part"),
    ]  # fmt: skip
    assert sum(one["share_of_town"] for one in town["candidates"]) == pytest.approx(1)
    assert town["agree"] is False
    outside = await desk.at((-72.55, 41.55))
    assert codes(outside) == ["C"]
    assert outside["candidates"][0]["boundary"] is None
    assert outside["agree"] is False


async def test_a_town_partly_outside_every_boundary_does_not_agree(desk: Desk) -> None:
    await desk.open_three()
    await desk.draw("psap", {"A": shapely.box(-72.8, 41.5, -72.71, 41.6)})
    answer = await desk.get(PSAPS, town=ANDOVER)
    assert [one["boundary"] for one in answer["candidates"]] == ["part"]
    assert answer["agree"] is False


async def test_borders_drawn_twice_agree_within_a_metre(desk: Desk) -> None:
    await desk.open_three()
    nearly = shapely.box(-72.800001, 41.500001, -72.700001, 41.6)
    await desk.draw("psap", {"A": nearly, "B": TOWNS[ANSONIA], "C": TOWNS[ASHFORD]})
    answer = await desk.get(PSAPS, town=ANDOVER)
    assert [(one["code"], one["boundary"]) for one in answer["candidates"]] == [("A", "whole")]
    assert answer["agree"] is True


async def test_a_boundary_without_a_record_is_shown_without_one(desk: Desk) -> None:
    await desk.draw("psap", {"Z": TOWNS[ANDOVER]})
    answer = await desk.at(IN_ANDOVER)
    assert answer["candidates"] == [
        {"code": "Z", "boundary": "inside", "share_of_town": None, "by_town": False, "psap": None}
    ]
    assert answer["agree"] is None
    nowhere = await desk.at((-72.2, 41.9))
    assert nowhere["candidates"] == []
    assert nowhere["agree"] is None


async def test_without_any_boundary_nothing_is_guessed(desk: Desk) -> None:
    answer = await desk.ask(PSAPS, lon=-72.75, lat=41.55)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:ct-alert:problem:no-psap-boundaries"
    await desk.draw("town", TOWNS)
    await desk.ok(PSAPS, {**record("A"), "code": "A", "towns": [ANDOVER]})
    by_town = await desk.at(IN_ANDOVER)
    assert codes(by_town) == ["A"]
    assert by_town["agree"] is None
    assert (await desk.ask(PSAPS, lon=-72.65, lat=41.55)).status_code == 409
    assert codes(await desk.get(PSAPS, town="Andover")) == ["A"]


async def test_the_directory_is_listed_in_pages(desk: Desk) -> None:
    await desk.open_three()
    first = await desk.get(PSAPS, limit=2)
    assert [one["code"] for one in first["psaps"]] == ["A", "B"]
    assert first["after"] == "B"
    second = await desk.get(PSAPS, limit=2, after="B")
    assert [one["code"] for one in second["psaps"]] == ["C"]
    assert second["after"] is None
    assert second["psaps"][0]["towns"] == [{"geoid": ASHFORD, "name": "Ashford"}]
    before = await desk.get(PSAPS, at="2019-12-31T23:59:59Z")
    assert before["psaps"] == []


@pytest.mark.shows("bad:J23")
@pytest.mark.parametrize(
    ("query", "code", "pointer"),
    [
        ({"lon": 41.55, "lat": -72.75}, "swapped-coordinates", "query:lon"),
        ({"lon": -72.75}, "required", "query:lat"),
        ({"lat": 41.55}, "required", "query:lon"),
        ({"lon": -72.75, "lat": 91}, "out-of-range", "query:lat"),
        ({"lon": -181, "lat": 41}, "greater-than-equal", "query:lon"),
        ({"lon": "nan", "lat": 41}, "not-finite", "query:lon"),
        ({"lon": -72.75, "lat": 41.55, "town": "Andover"}, "one-question", "query:town"),
        ({"town": "Springfield"}, "unknown-town", "query:town"),
        ({"town": ""}, "string-too-short", "query:town"),
        ({"at": "2026-01-01"}, "datetime-type", "query:at"),
        ({"at": "1767225600"}, "datetime-type", "query:at"),
        ({"at": "2026-01-01T00:00:00"}, "timezone-aware", "query:at"),
        ({"at": "0001-01-01T00:00:00Z"}, "out-of-range", "query:at"),
        ({"at": "9999-12-31T23:59:59-12:00"}, "out-of-range", "query:at"),
        ({"limit": 0}, "greater-than-equal", "query:limit"),
        ({"limit": 201}, "less-than-equal", "query:limit"),
        ({"after": "x" * 65}, "string-too-long", "query:after"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_a_question_that_means_nothing(
    desk: Desk, query: dict[str, Any], code: str, pointer: str
) -> None:
    answer = await desk.ask(PSAPS, **query)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["code"] == code
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"fallout_numbers": ["+18005550123"]}, "toll-free", "/fallout_numbers/0"),
        ({"emergency_numbers": ["8605550123", "+1 860-555-0123"]}, "duplicate",
         "/emergency_numbers/1"),
        ({"emergency_numbers": ["+18605550123 x5"]}, "not-a-number", "/emergency_numbers/0"),
        ({"fallout_numbers": ["911"]}, "short-code", "/fallout_numbers/0"),
        ({"police": {"kind": "local_police", "label": "\u202ex", "number": "+18605550123"}},
         "control-char", "/police/label"),
        ({"police": {"kind": "local_police", "label": " ", "number": "+18605550123"}},
         "required", "/police/label"),
        ({"interpreter": {"number": "+19005550123", "only_for_9_1_1_calls": True}}, "premium",
         "/interpreter/number"),
        ({"name": "  "}, "required", "/name"),
        ({"name": "x" * 201}, "string-too-long", "/name"),
        ({"towns": ["0900000000"]}, "unknown-town", "/towns/0"),
        ({"towns": [ANDOVER, "0911001080"]}, "duplicate", "/towns/1"),
        ({"valid_from": "1967-12-31T00:00:00Z"}, "out-of-range", "/valid_from"),
        ({"valid_from": "2036-12-31T00:00:00Z"}, "out-of-range", "/valid_from"),
        ({"valid_from": "2026-01-01"}, "datetime-type", "/valid_from"),
        ({"code": "a/b"}, "string-pattern-mismatch", "/code"),
        ({"code": " a"}, "string-pattern-mismatch", "/code"),
        ({"verified": True}, "unknown-field", "/verified"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
async def test_a_bad_entry_is_refused_with_its_place_and_nothing_kept(
    desk: Desk, change: dict[str, Any], code: str, pointer: str
) -> None:
    answer = await desk.post(PSAPS, {**record("A"), "code": "A", "towns": [ANDOVER], **change})
    assert answer.status_code == 422, answer.text
    faults = [(one["pointer"], one["code"]) for one in answer.json()["errors"]]
    assert (pointer, code) in faults
    assert (await desk.get(PSAPS))["psaps"] == []


async def test_only_admins_of_the_whole_state_change_the_directory(desk: Desk) -> None:
    await desk.open_three()
    bodies = {
        PSAPS: {**record("D"), "code": "D"},
        f"{PSAPS}/A/records": record("A", name="Other"),
        f"{PSAPS}/A/towns": {"valid_from": LONG_AGO, "towns": [ASHFORD]},
        f"{PSAPS}/A/consolidation": {"into": "B", "valid_from": "2026-07-01T04:00:00Z"},
    }
    before = await desk.get(PSAPS)
    for path, body in bodies.items():
        town = await desk.post(path, body, **desk.staff("admin", town=ANDOVER))
        assert (town.status_code, town.json()["type"].rpartition(":")[2]) == (
            403, "whole-state-only",
        )  # fmt: skip
        for role in ("manager", "viewer"):
            assert (await desk.post(path, body, **desk.staff(role))).status_code == 403
        assert (await desk.client.post(path, json=body)).status_code == 401
    assert (await desk.get(PSAPS)) == before


async def test_a_known_code_is_not_added_and_an_unknown_one_not_changed(desk: Desk) -> None:
    await desk.open_three()
    known = await desk.post(PSAPS, {**record("A"), "code": "A"})
    assert (known.status_code, known.json()["type"].rpartition(":")[2]) == (409, "psap-known")
    when = {"valid_from": LONG_AGO}
    for path, body in (
        (f"{PSAPS}/Q/records", record("A")),
        (f"{PSAPS}/Q/towns", {**when, "towns": [ANDOVER]}),
        (f"{PSAPS}/Q/consolidation", {**when, "into": "A"}),
    ):
        assert (await desk.post(path, body)).status_code == 404
    assert (await desk.ask(f"{PSAPS}/Q/history")).status_code == 404
    assert codes(await desk.at(IN_ANSONIA)) == ["B"]
