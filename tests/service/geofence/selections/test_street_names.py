"""Streets of nearly one name, or of one name in two villages, are never taken for one another."""

from typing import Any

import pytest

from tests.service.geofence.selections.conftest import Counter

ADDRESSES, STREETS = "/v1/areas/addresses", "/v1/areas/streets"
KNOWN = """number,street,city,postcode,lon,lat
2,East St,Kent,06757,-72.700,41.600
4,East St,Kent,06757,-72.701,41.600
3,E Street,Kent,06757,-72.720,41.610
5,E Street,Kent,06757,-72.721,41.610
6,Court Street,Kent,06757,-72.730,41.600
8,North Name Road,Kent,06757,-72.740,41.600
10,Mountain View Ter,Kent,06757,-72.750,41.600
12,Mtn View Ter,Kent,06757,-72.750,41.601
12,Elm Road,Kent,06757,-72.760,41.600
14\xbd,Elm Road,Kent,06757,-72.760,41.601
16\xb2,Elm Road,Kent,06757,-72.760,41.602
1,Pearl St,Stonington,06355,-71.970,41.350
3,Pearl St,Stonington,06355,-71.971,41.351
20,Pearl St,Stonington,06378,-71.905,41.335
22,Pearl St,Stonington,06378,-71.906,41.336
"""


async def street(counter: Counter, **body: Any) -> dict[str, Any]:
    """Ask for a street, of Kent if no town is named."""
    answer = await counter.post(STREETS, {"town": "Kent", **body}, "application/json")
    assert answer.status_code in (200, 422), answer.text
    return dict(answer.json()) | {"status": answer.status_code}


@pytest.mark.shows("G11")
async def test_a_street_is_the_one_that_is_written(counter: Counter) -> None:
    await counter.know(KNOWN)
    for name, points, others in (
        ("East Street", [[-72.700, 41.6], [-72.701, 41.6]], ["3", "5"]),
        ("E ST.", [[-72.720, 41.61], [-72.721, 41.61]], ["2", "4"]),
        ("court st", [[-72.73, 41.6]], []),
        ("N Name Rd", [[-72.74, 41.6]], []),
        ("Mountain View Terrace", [[-72.75, 41.6]], ["12"]),
    ):
        said = await street(counter, street=name)
        assert sorted(said["shapes"][0]["points"]) == sorted(points), name
        assert [(one["number"], one["reason"]) for one in said["unmatched"]] == [
            (one, "written-otherwise") for one in others
        ]
    said = await street(counter, street="East Street", first=4)
    assert [one["number"] for one in said["unmatched"]] == ["5"]
    for name in ("Ct St", "No Name Rd"):
        said = await street(counter, street=name)
        assert (said["status"], said["type"].rpartition(":")[2]) == (422, "ambiguous")
        assert said["errors"][0]["pointer"] == "/street"


@pytest.mark.shows("G11")
async def test_a_row_is_the_house_that_is_written(counter: Counter) -> None:
    await counter.know(KNOWN)
    rows = ["number,street,town", "2,East St,Kent", "2,E Street,Kent", "3,E St,Kent",
            "6,Ct St,Kent", "7,Ct St,Kent", "8,No Name Rd,Kent", "14,Elm Rd,Kent",
            "14 1/2,Elm Rd,Kent", "12\xbd,Elm Rd,Kent", "\uff11\uff12,Elm Rd,Kent",
            "16,Elm Rd,Kent", "16\xb2,Elm Rd,Kent"]  # fmt: skip
    said = (await counter.post(ADDRESSES, "\n".join(rows).encode())).json()
    assert [(one["row"], one["reason"], one["column"]) for one in said["unmatched"]] == [
        (3, "ambiguous", "street"),
        (5, "ambiguous", "street"),
        (6, "ambiguous", "street"),
        (7, "ambiguous", "street"),
        (8, "unknown-number", "number"),
        (10, "unknown-number", "number"),
        (12, "unknown-number", "number"),
        (13, "unknown-number", "number"),
    ]
    assert sorted(said["shapes"][0]["points"]) == [
        [-72.76, 41.6], [-72.76, 41.601], [-72.72, 41.61], [-72.7, 41.6],
    ]  # fmt: skip


@pytest.mark.shows("G11")
async def test_a_line_is_held_to_the_town_before_its_unit(counter: Counter) -> None:
    await counter.know(KNOWN)
    rows = ["address", '"2 East St, Hartford CT #4"', '"2 East St, Kent CT Apt 4"',
            '"2 East St, 4 East St, Kent"']  # fmt: skip
    said = (await counter.post(ADDRESSES, "\n".join(rows).encode())).json()
    assert [(one["row"], one["reason"]) for one in said["unmatched"]] == [
        (2, "unknown-street"),
        (4, "contradictory"),
    ]
    assert said["shapes"][0]["points"] == [[-72.7, 41.6]]


@pytest.mark.shows("G11")
async def test_two_streets_of_one_name_in_a_town_are_told_apart(counter: Counter) -> None:
    await counter.know(KNOWN)
    pearl = {"street": "Pearl Street", "town": "Stonington"}
    said = await street(counter, **pearl)
    assert (said["status"], said["type"].rpartition(":")[2]) == (422, "ambiguous")
    assert (await street(counter, **pearl, postal="06355"))["addresses"] == 2
    said = await street(counter, **pearl, first=20)
    assert (said["addresses"], said["beside"]) == (2, 2)
    for postal in ("06757", "none"):
        said = await street(counter, **pearl, postal=postal)
        assert said["type"].rpartition(":")[2] == "unknown-street"
