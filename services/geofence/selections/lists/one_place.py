"""Say whether the points of one address can be one place, and those of a name one street."""

from collections.abc import Sequence

import numpy as np

from services.geofence.index.geodesy import distance_m
from services.geofence.layers.addresses.address import Address
from services.geofence.layers.formats.addresses.streets import alike_town

# Points of one address farther apart are two places of one name.
SPREAD_M = 500.0
# Streets of the State have no such stretch without a house, or hardly ever; two of one name in
# the villages of one town lie farther apart.
GAP_M = 2_000.0

Point = tuple[float, float]


def is_ambiguous(addresses: Sequence[Address]) -> bool:
    """Say whether what was found for one address is in several towns or too far apart."""
    if len({alike_town(address.town) for address in addresses}) > 1:
        return True
    return is_spread([(address.lon, address.lat) for address in addresses])


def is_spread(points: Sequence[Point]) -> bool:
    """Say whether points lie too far apart to be one place."""
    if len(set(points)) == 1:
        return False
    spots = np.array(points)
    (west, south), (east, north) = spots.min(axis=0), spots.max(axis=0)
    across = distance_m(*(np.array([one]) for one in (west, south, east, north)))
    return float(across[0]) > SPREAD_M


def is_apart(points: Sequence[Point]) -> bool:
    """Say whether points fall into groups too far from one another to be one street."""
    rest = np.array(list(dict.fromkeys(points)))
    if not len(rest):
        return False
    reached, rest = [rest[0]], rest[1:]
    while reached and len(rest):
        lon, lat = np.broadcast_to(reached.pop(), rest.shape).T
        near = distance_m(lon, lat, rest[:, 0], rest[:, 1]) <= GAP_M
        reached += list(rest[near])
        rest = rest[~near]
    return bool(len(rest))
