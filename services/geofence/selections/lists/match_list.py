"""Find the points that a list of addresses stands for, and say which rows stand for none."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.geofence.layers.addresses.address import Address, Match
from services.geofence.layers.find_addresses import find_addresses
from services.geofence.layers.kinds import Layer
from services.geofence.selections.lists.address_list import (
    AddressList,
    Named,
    Unmatched,
    leading,
)
from services.geofence.selections.lists.answers import no_addresses
from services.geofence.selections.lists.one_place import Point, is_ambiguous, is_spread
from shared.db.session import Tx

# A number has an entrance or hundreds of flats; a street is looked through for its numbers.
MOST_OF_A_NUMBER, MOST_OF_A_STREET = 1_000, 1_000
# So few streets are looked through for the numbers that there are.
STREETS_LOOKED_THROUGH = 50
SUGGESTED = 2


@dataclass(frozen=True, slots=True)
class Matched:
    """The points of a list, each once, how many rows found one, and the rows that found none."""

    points: tuple[Point, ...]
    rows: int
    unmatched: tuple[Unmatched, ...]
    layer: Layer | None


async def match_list(tx: Tx, read: AddressList) -> Matched:
    """Match each row exactly; nothing is guessed, and a row without a point is always named.

    Of a row that says both an address and where it is, both must be one place, and both are meant.

    Raises:
        Problem: 409 where rows name addresses and no layer of addresses is imported.
    """
    points: list[Point] = [(spot.lon, spot.lat) for spot in read.spots]
    unmatched = list(read.faulty)
    layer, rows = None, len(read.spots)
    if read.named:
        wanted = [(one.number, one.street, one.town, one.postal) for one in read.named]
        found = await find_addresses(tx, wanted, most=MOST_OF_A_NUMBER)
        if found is None:
            raise no_addresses()
        layer, matches = found
        unknown = []
        for one, match in zip(read.named, matches, strict=True):
            own = _points_of(one, match)
            if not match.addresses and match.otherwise:
                unmatched.append(Unmatched(one.row, "ambiguous", "street"))
            elif not match.addresses:
                unknown.append(one)
            elif match.more or is_ambiguous(match.addresses):
                unmatched.append(Unmatched(one.row, "ambiguous"))
            elif is_spread(own):
                unmatched.append(Unmatched(one.row, "contradictory", "lon"))
            else:
                rows += 1
                points += own
        unmatched += await _why(tx, unknown)
    unmatched.sort(key=lambda one: one.row)
    return Matched(tuple(dict.fromkeys(points)), rows, tuple(unmatched), layer)


def _points_of(one: Named, match: Match) -> list[Point]:
    found = [(address.lon, address.lat) for address in match.addresses]
    return [*found, (one.spot.lon, one.spot.lat)] if one.spot else found


async def _why(tx: Tx, unknown: Sequence[Named]) -> list[Unmatched]:
    """Say of rows that nothing was found for whether the street or only the number is unknown."""
    if not unknown:
        return []
    # The same street is asked for once, however many rows name it.
    streets = list(dict.fromkeys((None, one.street, one.town, one.postal) for one in unknown))
    most = MOST_OF_A_STREET if len(streets) <= STREETS_LOOKED_THROUGH else 1
    found = await find_addresses(tx, streets, most=most)
    known = dict(zip(streets, found[1], strict=True)) if found else {}
    said = []
    for one in unknown:
        street = known.get((None, one.street, one.town, one.postal))
        if street is None or not (street.addresses or street.otherwise):
            said.append(Unmatched(one.row, "unknown-street", "street"))
        elif not street.addresses and not street.more:
            said.append(Unmatched(one.row, "ambiguous", "street"))
        else:
            near = _nearest(one.number, street.addresses) if most > 1 else ()
            said.append(Unmatched(one.row, "unknown-number", "number", near))
    return said


def _nearest(number: str, addresses: Sequence[Address]) -> tuple[str, ...]:
    """Return the numbers of a street that are nearest to one that it does not have."""
    wanted = leading(number)
    numbers = {address.number: leading(address.number) for address in addresses}
    if wanted is None:
        return ()
    ranked = sorted(
        (abs(one - wanted), one, text) for text, one in numbers.items() if one is not None
    )
    return tuple(text for _, _, text in ranked[:SUGGESTED])
