"""Lists and streets become points of known addresses; what is not found is always said."""

from typing import Any

import httpx2
import pytest
import shapely

from services.geofence.areas.compose import compose
from services.geofence.areas.find_parts import find_parts
from shared.db.session import fetch
from tests.service.geofence.selections.conftest import CSV, Counter

ADDRESSES, STREETS = "/v1/areas/addresses", "/v1/areas/streets"
JSON = "application/json"
KNOWN = """number,street,unit,city,postcode,lon,lat
2,Main Street,,Kent,06757,-72.700,41.600
4,Main Street,,Kent,06757,-72.701,41.600
5,Main Street,,Kent,06757,-72.702,41.601
8,Main Street,1,Kent,06757,-72.703,41.600
8,Main Street,2,Kent,06757,-72.703,41.600
8,Main Street,3,Kent,06757,-72.7031,41.600
10A,Main Street,,Kent,06757,-72.704,41.600
Rear,Main Street,,Kent,06757,-72.705,41.600
2,Main Street,,Bolton,06043,-72.400,41.750
7,Elm Avenue,,Kent,06757,-72.710,41.610
7,Elm Avenue,,Kent,06785,-72.760,41.650
"""
MARK = "q7zSecret"


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    """Return the status of a refusal and its name."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def points_of(answer: dict[str, Any]) -> list[list[float]]:
    """Return the points of the one shape of an answer."""
    (shape,) = answer["shapes"]
    assert shape["type"] == "points"
    assert len(shape["points"]) == answer["points"]
    return list(shape["points"])


@pytest.mark.shows("G11")
async def test_a_dry_run_says_what_is_matched_and_what_is_not(counter: Counter) -> None:
    await counter.know(KNOWN)
    rows = [
        "number;street;town;postal code;lon;lat;account",
        "2;MAIN ST.;Kent;;;;77",
        "8;Main Street;kent;06757;;;78",
        "02;main st;Kent;;;;79",
        "6;Main Street;Kent;;;;80",
        "2;Main Street;;;;;81",
        "2;Nowhere Lane;Kent;;;;82",
        ";;;;-72.5;41.7;83",
        ";;;;;;",
        "7;Elm Avenue;Kent;;;;84",
        "7;Elm Ave;Kent;06785;;;85",
        "2;Main Street;Gondor;;;;86",
        "2;Main Street;;06043;;;87",
        "x;y",
    ]
    answer = await counter.post(ADDRESSES, ("\ufeff" + "\r\n".join(rows)).encode())
    assert answer.status_code == 200
    said = answer.json()
    assert (said["rows"], said["blank"], said["matched"]) == (12, 1, 6)
    assert said["columns"] == ["number", "street", "town", "postal", "lon", "lat"]
    assert [
        (one["row"], one["reason"], one["column"], one["near"]) for one in said["unmatched"]
    ] == [
        (5, "unknown-number", "number", ["5", "4"]),
        (6, "ambiguous", None, []),
        (7, "unknown-street", "street", []),
        (10, "ambiguous", None, []),
        (12, "unknown-street", "street", []),
        (14, "wrong-number-of-cells", None, []),
    ]
    assert points_of(said) == [
        [-72.5, 41.7], [-72.7, 41.6], [-72.703, 41.6], [-72.7031, 41.6], [-72.76, 41.65],
        [-72.4, 41.75],
    ]  # fmt: skip
    assert [(one["kind"], one["version"]) for one in said["layer_versions"]] == [
        ("address_point", 1)
    ]


@pytest.mark.shows("G11")
async def test_the_shapes_of_a_list_are_an_area_around_its_houses(counter: Counter) -> None:
    await counter.know(KNOWN)
    listed = await counter.post(ADDRESSES, b"address\n2 Main St\n\"4 Main St, Kent\"\n",
                                radius_m=50)  # fmt: skip
    said = listed.json()
    assert [one["reason"] for one in said["unmatched"]] == ["ambiguous"]
    assert said["shapes"][0]["radius_m"] == 50
    async with counter.database.transaction() as tx:
        parts = await find_parts(tx, {"include": said["shapes"]})
    area = (await compose(parts)).area.geometry
    assert shapely.covers(area, shapely.Point(-72.701, 41.6))
    assert not shapely.covers(area, shapely.Point(-72.702, 41.6))


@pytest.mark.shows("G11", "S05")
async def test_a_list_of_nothing_known_is_no_shape_and_so_no_area(counter: Counter) -> None:
    await counter.know(KNOWN)
    for body in (b"number,street\n1,Nowhere Lane\n", b"number,street\n", b"lon,lat\n0,0\n"):
        said = (await counter.post(ADDRESSES, body)).json()
        assert (said["shapes"], said["matched"], said["points"]) == ([], 0, 0)
        assert len(said["unmatched"]) == said["rows"]


@pytest.mark.shows("G11")
async def test_points_need_no_layer_and_addresses_do(counter: Counter) -> None:
    said = (await counter.post(ADDRESSES, b"lat,lon\n41.7,-72.5\n41.7,-72.5\n")).json()
    assert points_of(said) == [[-72.5, 41.7]]
    assert (said["matched"], said["layer_versions"]) == (2, [])
    answer = await counter.post(ADDRESSES, b"number,street\n2,Main St\n")
    assert refusal(answer) == (409, "no-address-layer")
    answer = await counter.post(STREETS, {"street": "Main St", "town": "Kent"}, JSON)
    assert refusal(answer) == (409, "no-address-layer")


@pytest.mark.shows("G11")
async def test_five_thousand_rows_are_matched_at_once(counter: Counter) -> None:
    known = [f"{n},Long Road,,Kent,06757,{-72.9 + n * 1e-5:.5f},41.5" for n in range(1, 4_901)]
    await counter.know("\n".join([KNOWN.splitlines()[0], *known, ""]))
    rows = [f"{n},Long Road,Kent" for n in range(1, 5_001)]
    said = (await counter.post(ADDRESSES, "\n".join(["no,street,town", *rows]).encode())).json()
    assert (said["matched"], said["points"]) == (4_900, 4_900)
    assert {one["reason"] for one in said["unmatched"]} == {"unknown-number"}
    assert [one["row"] for one in said["unmatched"]] == list(range(4_902, 5_002))


@pytest.mark.shows("G11")
@pytest.mark.parametrize(
    ("part", "addresses", "points"),
    [
        ({}, 8, 7),
        ({"first": 4}, 6, 5),
        ({"last": 4}, 2, 2),
        ({"first": 4, "last": 8}, 5, 4),
        ({"side": "even"}, 6, 5),
        ({"side": "odd"}, 1, 1),
        ({"first": 9, "side": "even"}, 1, 1),
    ],
    ids=["all", "from", "to", "between", "even", "odd", "both"],
)
async def test_a_street_or_a_stretch_of_it(
    counter: Counter, part: dict[str, Any], addresses: int, points: int
) -> None:
    await counter.know(KNOWN)
    body = {"street": "main st", "town": "Town of Kent", **part}
    said = (await counter.post(STREETS, body, JSON)).json()
    assert (said["addresses"], said["points"], said["beside"]) == (addresses, points, 8 - addresses)
    assert len(points_of(said)) == points


@pytest.mark.shows("G11")
async def test_a_number_of_a_street_in_two_places_is_named_and_left_out(counter: Counter) -> None:
    await counter.know(
        f"{KNOWN}7,Oak,,Hebron,,-72.3,41.65\n7,Oak,,Town of Hebron,,-73.3,41.15\n"
        "9,Oak,,Hebron,,-72.301,41.65\n9,Oak,,Town of Hebron,,-72.3011,41.65\n"
    )
    body = {"street": "Oak", "town": "Hebron"}
    said = (await counter.post(STREETS, body, JSON)).json()
    assert (said["addresses"], said["beside"]) == (2, 0)
    assert said["unmatched"] == [{"number": "7", "reason": "ambiguous"}]
    assert points_of(said) == [[-72.3011, 41.65], [-72.301, 41.65]]
    listed = await counter.post(ADDRESSES, b"no,street,town\n7,Oak,Hebron\n9,Oak,Hebron\n")
    assert [(one["row"], one["reason"]) for one in listed.json()["unmatched"]] == [(2, "ambiguous")]
    assert sorted(points_of(listed.json())) == sorted(points_of(said))
    answer = await counter.post(STREETS, body | {"last": 8}, JSON)
    assert refusal(answer) == (422, "ambiguous")
    said = (await counter.post(STREETS, body | {"first": 8}, JSON)).json()
    assert (said["addresses"], said["beside"], said["unmatched"]) == (2, 2, [])


@pytest.mark.shows("G11")
async def test_a_row_that_contradicts_itself_is_named_and_left_out(counter: Counter) -> None:
    await counter.know(KNOWN)
    rows = [
        "address,town,zip,lon,lat",
        '"2 Main Street, Bolton, CT",Kent,,,',
        '"2 Main Street, Kent, CT 06757",,06043,,',
        '"2 Main Street, KENT, CT 06757",Town of Kent,6757,,',
        "4 Main Street,Kent,,-72.7015,41.6",
        "5 Main Street,Kent,,-72.4,41.75",
        "2 Main Street,,,-72.4,41.75",
        "1 Nowhere Lane,Kent,,-72.4,41.75",
    ]
    said = (await counter.post(ADDRESSES, "\n".join(rows).encode())).json()
    assert [(one["row"], one["reason"], one["column"]) for one in said["unmatched"]] == [
        (2, "contradictory", "town"),
        (3, "contradictory", "postal"),
        (6, "contradictory", "lon"),
        (7, "ambiguous", None),
        (8, "unknown-street", "street"),
    ]
    assert said["matched"] == 2
    assert points_of(said) == [[-72.7, 41.6], [-72.701, 41.6], [-72.7015, 41.6]]


@pytest.mark.shows("G11", "S44")
@pytest.mark.parametrize(
    ("body", "slug", "pointer"),
    [
        ({"street": f"{MARK} Road", "town": "Kent"}, "unknown-street", "/street"),
        ({"street": "Main St", "town": MARK}, "unknown-street", "/street"),
        ({"street": "Main St", "town": "Kent", "first": 11}, "no-such-numbers", "/first"),
        ({"street": "Main St", "town": "Kent", "first": 9, "last": 4}, "no-such-numbers", "/first"),
        ({"street": "---", "town": "Kent"}, "unknown-street", "/street"),
        ({"street": "Main St", "town": "."}, "unknown-street", "/street"),
        ({"street": "Main St"}, "invalid", "/town"),
        ({"street": "", "town": "Kent"}, "invalid", "/street"),
        ({"street": "Main St", "town": "Kent", "side": "left"}, "invalid", "/side"),
        ({"street": "Main St", "town": "Kent", "first": -1}, "invalid", "/first"),
        ({"street": "Main St", "town": "Kent", "radius_m": 1_001}, "invalid", "/radius_m"),
    ],
)
async def test_a_street_that_is_not_there_is_no_area(
    counter: Counter, body: dict[str, Any], slug: str, pointer: str
) -> None:
    await counter.know(KNOWN)
    answer = await counter.post(STREETS, body, JSON)
    assert refusal(answer) == (422, slug)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert MARK not in answer.text


@pytest.mark.shows("G11", "bad:J04", "bad:J14", "S42", "S44")
async def test_what_is_no_list_is_a_problem(counter: Counter) -> None:
    for media in ("text/plain", "application/json", "application/vnd.ms-excel", ""):
        answer = await counter.post(ADDRESSES, MARK, media)
        assert refusal(answer) == (415, "unsupported-media-type")
        assert answer.headers["accept"] == CSV
    answer = await counter.post(ADDRESSES, MARK, f"{CSV}; charset=latin-1")
    assert refusal(answer) == (400, "bad-encoding")
    answer = await counter.post(ADDRESSES, f"{MARK}\n{MARK}".encode(), f'{CSV}; charset="utf-8"')
    assert refusal(answer) == (422, "header-required")
    assert MARK not in answer.text
    answer = await counter.post(ADDRESSES, b"lon,lat\n" + b" " * 512_000)
    assert refusal(answer) == (413, "too-large")
    answer = await counter.post(ADDRESSES, b"lon,lat\n" + b"1,1\n" * 5_001)
    assert refusal(answer) == (413, "too-many-rows")
    for radius in ("0", "1001", "nan", MARK):
        answer = await counter.post(ADDRESSES, b"lon,lat\n", radius_m=radius)
        assert refusal(answer) == (422, "invalid")


@pytest.mark.shows("G11", "S16", "S37")
async def test_nothing_of_a_list_is_kept_or_logged(
    counter: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    await counter.know(KNOWN)
    tables = "SELECT relname, n_live_tup FROM pg_stat_user_tables"
    body = f"number,street,town\n2,{MARK} Street,Kent\n{MARK},Main Street,Kent\n".encode()
    said = (await counter.post(ADDRESSES, body)).json()
    assert [one["reason"] for one in said["unmatched"]] == ["unknown-street", "unknown-number"]
    out, err = capsys.readouterr()
    assert MARK not in out + err
    async with counter.database.transaction() as tx:
        for table in (row["relname"] for row in await fetch(tx, tables)):
            rows = await fetch(tx, f"SELECT CAST(t AS text) AS said FROM {table} AS t")  # noqa: S608
            assert not any(MARK in row["said"] for row in rows)


@pytest.mark.shows("S43", "bad:J27")
async def test_a_burst_of_lists_is_braked_by_whoever_sends_them(counter: Counter) -> None:
    body = b"lon,lat\n-72.5,41.7\n"
    statuses = [(await counter.post(ADDRESSES, body)).status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]
    last = await counter.post(STREETS, {"street": "Main St", "town": "Kent"}, JSON)
    assert refusal(last) == (429, "too-many-requests")
    assert 1 <= int(last.headers["retry-after"]) <= 60
    headers = counter.staff(subject="another") | {"Content-Type": CSV}
    other = await counter.client.post(ADDRESSES, content=body, headers=headers)
    assert other.status_code == 200
