"""Reads a list of addresses or points as people keep them: CSV with a header, row by row."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from services.geofence.layers.formats.addresses.read_number import read_number
from services.geofence.layers.formats.addresses.streets import (
    alike_number,
    alike_postal,
    alike_town,
    written_street,
)
from services.geofence.selections.lists.read_line import read_line
from shared.connecticut import in_service_area, is_swapped
from shared.web.errors import Fault, Problem, bad_request, too_large

MOST_ROWS = 5_000
LONGEST_CELL = 200
_DELIMITERS = (",", ";", "\t")
# What tables call their columns, without case, spaces and punctuation.
_HEADINGS = {
    "number": ("number", "no", "housenumber", "houseno", "streetnumber", "streetno",
               "addressnumber", "addnumber"),
    "street": ("street", "streetname", "road"),
    "address": ("address", "streetaddress", "serviceaddress", "address1", "addr"),
    "town": ("town", "city", "municipality"),
    "postal": ("postalcode", "postal", "postcode", "zip", "zipcode"),
    "lon": ("lon", "long", "lng", "longitude"),
    "lat": ("lat", "latitude"),
}  # fmt: skip
# What a line may say and a column of its own too, and how the two are compared.
_ALIKE = {
    "number": alike_number,
    "street": written_street,
    "town": alike_town,
    "postal": alike_postal,
}
_KNOWN = {heading: column for column, all_ in _HEADINGS.items() for heading in all_}
_ENOUGH = ({"address"}, {"number", "street"}, {"lon", "lat"})


@dataclass(frozen=True, slots=True)
class Spot:
    """A row that says where it is, in degrees WGS 84."""

    row: int
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Named:
    """A row that names an address, and may say where it is; empty texts are not given."""

    row: int
    number: str
    street: str
    town: str
    postal: str
    spot: Spot | None = None


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A row that stands for no point, why, and in which column; `near` are numbers there are."""

    row: int
    reason: str
    column: str | None = None
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddressList:
    """What a list says, row by row; row 1 is the header, as a spreadsheet counts.

    `columns` are those that were understood, `blank` how many rows held nothing at all.
    """

    columns: tuple[str, ...]
    blank: int
    spots: tuple[Spot, ...]
    named: tuple[Named, ...]
    faulty: tuple[Unmatched, ...]

    @property
    def rows(self) -> int:
        """Return how many rows said something."""
        return len(self.spots) + len(self.named) + len(self.faulty)


def read_list(data: bytes) -> AddressList:
    """Read CSV in UTF-8 with commas, semicolons or tabs; what a cell holds is never repeated.

    Raises:
        Problem: the bytes are no such table, it has no usable header, or too many rows.
    """
    lines = _lines(data)
    _, header = next(lines, (1, []))
    columns = _columns(header)
    blank = 0
    found: list[Spot | Named | Unmatched] = []
    for row, cells in lines:
        if not any(cells):
            blank += 1
        elif len(cells) != len(header):
            found.append(Unmatched(row, "wrong-number-of-cells"))
        else:
            found.append(_read_row(row, {name: cells[at] for name, at in columns.items()}))
        if len(found) + blank > MOST_ROWS:
            raise too_large(f"A list has at most {MOST_ROWS:,} rows.", "too-many-rows")
    return AddressList(
        columns=tuple(columns),
        blank=blank,
        spots=tuple(one for one in found if isinstance(one, Spot)),
        named=tuple(one for one in found if isinstance(one, Named)),
        faulty=tuple(one for one in found if isinstance(one, Unmatched)),
    )


def _lines(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield rows with their numbers, cells without the space around them."""
    if not data.strip():
        raise bad_request("empty-body", "The list is empty.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise bad_request("bad-encoding", "The list is not in UTF-8.") from None
    head = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    row = 0
    while True:
        row += 1
        try:
            cells = next(rows, None)
        except csv.Error:
            fault = Fault(f"/rows/{row}", "malformed-csv")
            raise Problem(400, "malformed-csv", "The list is not CSV.", errors=[fault]) from None
        if cells is None:
            return
        yield row, [cell.strip() for cell in cells]


def _columns(header: list[str]) -> dict[str, int]:
    """Return where each column stands that is understood; others are nobody's business."""
    found: dict[str, int] = {}
    for at, heading in enumerate(header):
        column = _KNOWN.get(re.sub(r"[^a-z0-9]", "", heading.casefold()))
        if column in found:
            fault = Fault(f"/rows/1/{column}", "duplicate-column")
            raise Problem(422, "duplicate-column", "Two columns are the same.", errors=[fault])
        if column:
            found[column] = at
    if not any(enough <= found.keys() for enough in _ENOUGH):
        detail = (
            "The first row names the columns: address, or number and street, with town or postal "
            "code; or lon and lat."
        )
        raise Problem(422, "header-required", detail, errors=[Fault("/rows/1", "header-required")])
    return found


def _read_row(row: int, cells: Mapping[str, str]) -> Spot | Named | Unmatched:
    """Read a row; what two of its columns say, they must say alike.

    An address and a position of one row are both kept, to be held against each other; a town
    or a postal code by itself is no address.
    """
    for column, cell in cells.items():
        if len(cell) > LONGEST_CELL:
            return Unmatched(row, "too-long", column)
        if not cell.isprintable():
            return Unmatched(row, "control-char", column)
    spot = _read_spot(row, cells) if cells.get("lon") or cells.get("lat") else None
    if isinstance(spot, Unmatched):
        return spot
    if not any(cells.get(column) for column in ("street", "number", "address")):
        return spot or Unmatched(row, "nothing-given")
    read = read_line(cells.get("address", ""))
    line = {} if read is None else asdict(read)
    at = "address" if read is None else _contradicted(cells, line)
    if at:
        return Unmatched(row, "contradictory", at)
    # One half of a column and one of a line would be an address that nobody wrote.
    apart = cells.get("street") or cells.get("number")
    street, number = (cells.get(one, "") if apart else line[one] for one in ("street", "number"))
    for column, part in (("street", street), ("number", number)):
        if not part:
            # A whole street is meant only where one is asked for.
            own = column if column in cells else "address"
            return Unmatched(row, f"missing-{column}", own)
    town, postal = (cells.get(one) or line[one] for one in ("town", "postal"))
    return Named(row, number, street, town, postal, spot)


def _contradicted(cells: Mapping[str, str], line: Mapping[str, str]) -> str | None:
    """Return the column that says something else than the line of its row."""
    for column, alike in _ALIKE.items():
        own = cells.get(column)
        if own and line[column] and alike(own) != alike(line[column]):
            return column
    return None


def _read_spot(row: int, cells: Mapping[str, str]) -> Spot | Unmatched:
    read = []
    for column in ("lon", "lat"):
        cell = cells.get(column, "")
        if not cell:
            return Unmatched(row, "missing-position", column)
        try:
            read.append(read_number(cell))
        except ValueError:
            return Unmatched(row, "not-a-number", column)
    lon, lat = read
    if is_swapped(lon, lat):
        return Unmatched(row, "swapped-coordinates", "lon")
    # No comparison holds of what is no number, so that lies nowhere either.
    if not in_service_area(lon, lat):
        return Unmatched(row, "outside-service-area", "lon")
    return Spot(row, lon, lat)


def leading(number: str) -> int | None:
    """Return the whole number that a house number begins with, or None."""
    digits = number[: len(number) - len(number.lstrip("0123456789"))]
    return int(digits[:9]) if digits else None
