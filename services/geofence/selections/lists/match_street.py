"""Find the points of a street's addresses, all of them or those of some numbers."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from services.geofence.layers.addresses.address import Address
from services.geofence.layers.find_addresses import find_addresses
from services.geofence.layers.kinds import Layer
from services.geofence.selections.lists.address_list import leading
from services.geofence.selections.lists.answers import no_addresses
from services.geofence.selections.lists.one_place import is_ambiguous, is_apart
from shared.db.session import Tx
from shared.web.errors import Problem, too_large, unprocessable

MOST = 5_000
Side = Literal["odd", "even"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a street: numbers from `first` to `last`, of one side; None is no bound.

    `postal` tells two streets of one name in a town apart.
    """

    street: str
    town: str
    first: int | None = None
    last: int | None = None
    side: Side | None = None
    postal: str | None = None

    def holds(self, number: str) -> bool:
        """Say whether a house number lies in it; one that is no number lies in a whole street."""
        whole = leading(number)
        if whole is None:
            return self.first is None and self.last is None and self.side is None
        return (
            (self.first is None or whole >= self.first)
            and (self.last is None or whole <= self.last)
            and (self.side is None or whole % 2 == (self.side == "odd"))
        )


@dataclass(frozen=True, slots=True)
class StreetFound:
    """The points of a stretch, each once; how many addresses it has, and how many lie beside it.

    `ambiguous` are the house numbers of the stretch that several places have, `otherwise` those on
    streets whose names are written otherwise and may be the same; both are left out.
    """

    points: tuple[tuple[float, float], ...]
    addresses: int
    beside: int
    ambiguous: tuple[str, ...]
    otherwise: tuple[str, ...]
    layer: Layer


async def match_street(tx: Tx, stretch: Stretch) -> StreetFound:
    """Return the points of the addresses in a stretch of a street, without ambiguous numbers.

    Raises:
        Problem: 409 no addresses are imported, 413 too many, 422 no such street, none there,
            nothing but ambiguous numbers, or a name that several streets may have.
    """
    wanted = (None, stretch.street, stretch.town, stretch.postal)
    found = await find_addresses(tx, [wanted], most=MOST)
    if found is None:
        raise no_addresses()
    layer, (match,) = found
    if match.more:
        raise too_large(f"The street has more than {MOST:,} addresses.", "too-many-addresses")
    if not match.addresses:
        if match.otherwise:
            raise _ambiguous("Streets whose names are written otherwise may be meant, or not.")
        detail = "No address of this street is known in this town."
        raise unprocessable("unknown-street", detail, pointer="/street")
    own = [address for address in match.addresses if stretch.holds(address.number)]
    if not own:
        detail = "The street has no address with such a number."
        raise unprocessable("no-such-numbers", detail, pointer="/first")
    houses: defaultdict[str, list[Address]] = defaultdict(list)
    for address in own:
        houses[address.number].append(address)
    ambiguous = tuple(number for number, same in houses.items() if is_ambiguous(same))
    for number in ambiguous:
        del houses[number]
    clear = [address for same in houses.values() for address in same]
    if not clear:
        raise _ambiguous("Each of the numbers is in several places that lie far apart.")
    if is_apart([(address.lon, address.lat) for address in clear]):
        raise _ambiguous(
            "The addresses lie in groups far from one another, as of several streets: name a "
            "postal code, or numbers of one group."
        )
    points = tuple(dict.fromkeys((address.lon, address.lat) for address in clear))
    beside = len(match.addresses) - len(own)
    others = [one.number for one in match.otherwise if stretch.holds(one.number)]
    otherwise = tuple(dict.fromkeys(others))
    return StreetFound(points, len(clear), beside, ambiguous, otherwise, layer)


def _ambiguous(detail: str) -> Problem:
    return unprocessable("ambiguous", detail, pointer="/street")
