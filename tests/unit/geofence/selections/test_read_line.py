"""A line is read in all its pieces: what stands behind a unit counts, and two places are none."""

import pytest

from services.geofence.selections.lists.address_list import Named, Unmatched, read_list
from services.geofence.selections.lists.read_line import Line, read_line

pytestmark = pytest.mark.shows("G11")


@pytest.mark.parametrize(
    ("place", "town", "postal"),
    [
        ("Hartford CT #4", "Hartford", ""),
        ("Hartford CT 06103 Apt 4", "Hartford", "06103"),
        ("Hartford Unit 4", "Hartford", ""),
        ("Hartford CT 06103-1234, Bldg 2 Apt. 4B", "Hartford", "06103-1234"),
        ("Apt4, Hartford", "Hartford", ""),
        ("2nd Floor, Hartford, CT Fl 2", "Hartford", ""),
        ("Ground floor, Suite #200, Hartford", "Hartford", ""),
        ("Rm. B, Hartford,, 06103, US", "Hartford", "06103"),
        ("Hartford, Town of Hartford CT, 06103-1234, 06103", "Hartford", "06103-1234"),
        # What might be a town or a postal code is never taken for a unit's name.
        ("Unit Kent", "Unit Kent", ""),
        ("Ste 06103", "Ste", "06103"),
        ("# 06103", "#", "06103"),
        ("FL 33101", "FL", "33101"),
    ],
)
def test_a_unit_takes_nothing_with_it(place: str, town: str, postal: str) -> None:
    assert read_line(f"12 Elm Hill Rd, {place}") == Line("12", "Elm Hill Rd", town, postal)


@pytest.mark.parametrize(
    ("line", "number", "street"),
    [
        ("12 Main St Apt B", "12", "Main St"),
        ("12 Main St Fl 2", "12", "Main St"),
        ("12\xbd Main St # 7", "12\xbd", "Main St"),
        ("12 Old Building Rd", "12", "Old Building Rd"),
        ("8 Floral Ave", "8", "Floral Ave"),
    ],
)
def test_a_unit_behind_the_street_is_not_its_name(line: str, number: str, street: str) -> None:
    assert read_line(line) == Line(number, street, "", "")


@pytest.mark.parametrize(
    "line",
    [
        "12 Elm St, 14 Oak St, Hartford CT",
        "12 Elm St, Hartford CT, 14 Oak St",
        "12, 14 Elm St, Hartford",
        "12 Main St, Andover, Kent, CT",
        "12 Main St, Andover CT Apt 4, Kent",
        "12 Main St, 06103, Kent, CT 06757",
        "12 Main St, Avon, FL",
        "12 Main St, Avon, NY 14414",
    ],
)
def test_a_line_that_says_two_things_is_named(line: str) -> None:
    found = read_list(f'address\n"{line}"\n'.encode())
    assert (found.named, found.faulty) == ((), (Unmatched(2, "contradictory", "address"),))


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ('"12 Elm Hill Rd, Hartford CT Apt 4",Kent,,', "town"),
        ('"12 Elm Hill Rd, Hartford CT 06103 #4",,06757,', "postal"),
        ('"12 Court St, Kent",,,Ct St', "street"),
        ('"12\xbd Elm Hill Rd, Kent",,,12', "street"),
    ],
)
def test_what_stands_before_a_unit_must_agree_with_its_column(row: str, column: str) -> None:
    found = read_list(f"address,town,zip,street\n{row}\n".encode())
    assert (found.named, found.faulty) == ((), (Unmatched(2, "contradictory", column),))


def test_a_fraction_is_another_house() -> None:
    found = read_list("address,no\n12\xbd Elm Rd,12\n12\xbd Elm Rd,12 1/2\n".encode())
    assert found.faulty[0] == Unmatched(2, "contradictory", "number")
    # The number stands in a column of its own, and the street in the line only.
    assert found.faulty[1] == Unmatched(3, "missing-street", "address")
    (named,) = read_list("address\n12\xbd Elm Rd\n".encode()).named
    assert named == Named(2, "12\xbd", "Elm Rd", "", "")
