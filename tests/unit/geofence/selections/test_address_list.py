"""A list is read row by row as people keep it, and nothing in it is dropped or repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.geofence.selections.lists.address_list import (
    MOST_ROWS,
    AddressList,
    Named,
    Spot,
    Unmatched,
    leading,
    read_list,
)
from shared.web.errors import Problem

pytestmark = pytest.mark.shows("G11")
MARK = "q7zSecret"


def read(*lines: str, between: str = "\n", encoding: str = "utf-8") -> AddressList:
    """Read a list of lines."""
    return read_list(between.join(lines).encode(encoding))


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        (["Number,Street,Town,Zip", "12,Main St,Andover,06232"],
         ("number", "street", "town", "postal")),
        (["﻿number;street;town;postal code", '12;"Main St";Andover;06232'],
         ("number", "street", "town", "postal")),
        (["Postal_Code\tCity\tStreet Name\tHouse No.", "06232\tAndover\tMain St\t12"],
         ("postal", "town", "street", "number")),
        (["ACCOUNT,ADDRESS,TOWN,ZIP CODE", "q7zSecret,12 Main St,Andover,06232"],
         ("address", "town", "postal")),
        (["address", '"12 Main St, Andover, CT 06232"'], ("address",)),
        (["address", '"12 Main St Apt 4B, Andover CT 06232"'], ("address",)),
        (["address", '"12 Main St, Unit 3, Andover, Connecticut, 06232"'], ("address",)),
    ],
    ids=["commas", "semicolons-bom", "tabs", "other-columns", "whole", "unit", "unit-apart"],
)  # fmt: skip
def test_tables_as_people_keep_them(lines: list[str], columns: tuple[str, ...]) -> None:
    found = read(*lines)
    assert found.columns == columns
    if "number" in columns or "address" in columns:
        assert found.named == (Named(2, "12", "Main St", "Andover", "06232"),)
        assert (found.rows, found.faulty, found.blank) == (1, (), 0)


def test_a_house_no_is_a_number() -> None:
    found = read("house number,road", "12A,Old Post Rd")
    assert found.named == (Named(2, "12A", "Old Post Rd", "", ""),)


@pytest.mark.parametrize("between", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_rows_count_as_in_a_spreadsheet(between: str) -> None:
    found = read("lon,lat", "-72.7,41.6", ",", "", "-72.7,", "x,41.6", between=between)
    assert found.spots == (Spot(2, -72.7, 41.6),)
    assert found.blank == 2
    assert found.faulty == (
        Unmatched(5, "missing-position", "lat"),
        Unmatched(6, "not-a-number", "lon"),
    )
    assert found.rows == 3


def test_a_cell_may_hold_line_breaks_and_commas() -> None:
    found = read("number,street,town", '12,"Main\nSt",Andover', '14,"Main, St",Andover')
    assert found.faulty == (Unmatched(2, "control-char", "street"),)
    assert found.named == (Named(3, "14", "Main, St", "Andover", ""),)


@pytest.mark.parametrize(
    ("row", "reason", "column"),
    [
        (",Main St,Andover,,", "missing-number", "number"),
        ("12,,Andover,,", "missing-street", "street"),
        (",,Andover,,", "nothing-given", None),
        ("12,Main St,Andover", "wrong-number-of-cells", None),
        ("12,Main St,Andover,,,,", "wrong-number-of-cells", None),
        (",,,41.6,-72.7", "swapped-coordinates", "lon"),
        (",,,0,0", "outside-service-area", "lon"),
        (",,,-72.7,91", "outside-service-area", "lon"),
        (",,,nan,41.6", "outside-service-area", "lon"),
        (",,,inf,41.6", "outside-service-area", "lon"),
        (",,,,41.6", "missing-position", "lon"),
        (",,,-72;7,41.6", "not-a-number", "lon"),
        (",,,-7_2.7,41.6", "not-a-number", "lon"),
        (",,,-72.7,4_1.6", "not-a-number", "lat"),
        ("1_2,Main St,Andover,-7_2.7,41.6", "not-a-number", "lon"),
        ("12,,,-72.7,41.6", "missing-street", "street"),
        ("12," + "x" * 201 + ",Andover,,", "too-long", "street"),
        ("12,Main\x07 St,Andover,,", "control-char", "street"),
        ("12,Main \u202eSt,Andover,,", "control-char", "street"),
    ],
)
def test_a_row_that_says_nothing_is_named_with_its_column(
    row: str, reason: str, column: str | None
) -> None:
    found = read("number,street,town,lon,lat", "1,Main St,Andover,,", row)
    assert found.faulty == (Unmatched(3, reason, column),)
    assert [one.row for one in found.named] == [2]


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("12 Main St", ("12", "Main St", "", "")),
        ("12A Main St", ("12A", "Main St", "", "")),
        ("12 1/2 Main St", ("12 1/2", "Main St", "", "")),
        ("12-14 Main St # 5", ("12-14", "Main St", "", "")),
        ("100 Route 6, Andover", ("100", "Route 6", "Andover", "")),
        ("1 1st St, New Haven, CT", ("1", "1st St", "New Haven", "")),
        ("7 Court St, Suite 200, Hartford, CT 06103-1234",
         ("7", "Court St", "Hartford", "06103-1234")),
        ("9 Oak Ct, Conn. 06103", ("9", "Oak Ct", "", "06103")),
        ("5 Unity Plaza, West Hartford", ("5", "Unity Plaza", "West Hartford", "")),
        ("6 Elm St, Kent, CT 06757, USA", ("6", "Elm St", "Kent", "06757")),
        ("8 Floral Ave", ("8", "Floral Ave", "", "")),
    ],
)  # fmt: skip
def test_one_line_holds_number_street_town_and_code(address: str, parts: tuple[str, ...]) -> None:
    (found,) = read("address", f'"{address}"').named
    assert (found.number, found.street, found.town, found.postal) == parts


def test_a_street_without_a_number_is_not_all_of_the_street() -> None:
    found = read("address", "Main St", '"Main St, Andover"')
    assert found.faulty == (
        Unmatched(2, "missing-number", "address"),
        Unmatched(3, "missing-number", "address"),
    )


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ('"12 Main St, Andover, CT",,,Kent,', "town"),
        ('"12 Main St, Andover, CT 06232",,,Andover,06043', "postal"),
        ('"12 Main St, Andover, CT 06232",,,,none', "postal"),
        ('"12 Main St, Andover, CT 06232",14,Main St,,', "number"),
        ('"12 Main St, Andover, CT 06232",12,Oak St,,', "street"),
        ('"12 Main St, Andover, CT 06232",14,,,', "number"),
    ],
)
def test_a_row_that_says_two_things_is_none_of_them(row: str, column: str) -> None:
    found = read("address,number,street,town,zip", row)
    assert (found.named, found.faulty) == ((), (Unmatched(2, "contradictory", column),))


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ('"12 Main St, Andover, CT 06232",,,ANDOVER,6232', ("12", "Main St", "ANDOVER", "6232")),
        ('"12 Main St, Andover",,,Town of Andover,', ("12", "Main St", "Town of Andover", "")),
        ('"12 Main St, 06232-1234",,,Andover,06232', ("12", "Main St", "Andover", "06232")),
        (
            '"12 Main St, Andover",012,Main Street,,06232',
            ("012", "Main Street", "Andover", "06232"),
        ),
    ],
)
def test_a_row_that_says_one_thing_twice_is_read(row: str, parts: tuple[str, ...]) -> None:
    found = read("address,number,street,town,zip", row)
    assert (found.named, found.faulty) == ((Named(2, *parts),), ())


def test_half_a_column_and_half_a_line_are_no_address() -> None:
    found = read("no,address", '1,"Main St, Andover"')
    assert found.faulty == (Unmatched(2, "missing-street", "address"),)


def test_a_row_may_say_an_address_and_where_it_is() -> None:
    found = read("address,town,lon,lat", "12 Main St,Kent,-72.7,41.6", ",Kent,-72.7,41.6")
    assert found.named == (Named(2, "12", "Main St", "Kent", "", Spot(2, -72.7, 41.6)),)
    assert found.spots == (Spot(3, -72.7, 41.6),)


@pytest.mark.parametrize(
    ("data", "status", "slug"),
    [
        (b"", 400, "empty-body"),
        (b" \n ", 400, "empty-body"),
        (b"\xff\xfe1\x002", 400, "bad-encoding"),
        (b"number,street\n12,\"Main", 400, "malformed-csv"),
        (b"12,Main St,Andover\n14,Main St,Andover", 422, "header-required"),
        (b"number,town\n12,Andover", 422, "header-required"),
        (b"lon\n-72.7", 422, "header-required"),
        (b"street,Street,number\na,b,1", 422, "duplicate-column"),
        (b"lon,lat\n" + b"-72.7,41.6\n" * (MOST_ROWS + 1), 413, "too-many-rows"),
    ],
    ids=["nothing", "blank", "utf-16", "open-quote", "no-header", "no-street", "half-a-position",
         "twice", "too-many"],
)  # fmt: skip
def test_what_is_no_list_is_refused(data: bytes, status: int, slug: str) -> None:
    with pytest.raises(Problem) as refused:
        read_list(data)
    assert (refused.value.status, refused.value.slug) == (status, slug)


@pytest.mark.shows("S44")
def test_nothing_of_a_list_is_repeated() -> None:
    found = read(f"address,{MARK},lon,lat", f"{MARK},{MARK},{MARK},{MARK}", f"{MARK}", f"{MARK},,,")
    assert MARK not in repr(found.faulty) + repr(found.columns)
    for data in (f'"{MARK}', f"{MARK}\n{MARK}"):
        with pytest.raises(Problem) as refused:
            read_list(data.encode())
        assert MARK not in f"{refused.value.detail} {refused.value.errors}"


cells = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)


@given(st.lists(st.lists(cells, min_size=1, max_size=4), max_size=12))
def test_every_row_is_accounted_for(rows: list[list[str]]) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    found = read("number,street,town", *quoted)
    told = [one.row for part in (found.spots, found.named, found.faulty) for one in part]
    assert len(told) + found.blank == len(rows)
    assert len(set(told)) == len(told)
    assert set(told) <= set(range(2, len(rows) + 2))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert outcome(b"lon,lat,number,street\n" + data) in (200, 400, 413, 422)


def outcome(data: bytes) -> int:
    """Return the status of a list that is refused, 200 for one that is read."""
    try:
        read_list(data)
    except Problem as refused:
        return refused.status
    return 200


@pytest.mark.parametrize(
    ("number", "whole"), [("12", 12), ("12A", 12), ("12 1/2", 12), ("A12", None), ("", None)]
)
def test_the_whole_number_of_a_house(number: str, whole: int | None) -> None:
    assert leading(number) == whole
