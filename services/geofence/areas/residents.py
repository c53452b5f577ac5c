"""How many people live in an area, by the share of each town's ground that lies in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.atlas import Sheet
from services.geofence.areas.measure import areas_km2
from services.geofence.index.geodesy import Floats
from services.geofence.layers.kinds import Feature
from shared.connecticut import town_by_geoid

# Of a town's ground: less is more likely an edge drawn a little wide than people meant (G13).
SLIVER = 0.02


@dataclass(frozen=True, slots=True)
class Entered:
    """A town that an area enters: which share of its ground, and the residents estimated there.

    `residents` is None where the population is not known.
    """

    town: Feature
    share: float
    residents: float | None

    @property
    def is_sliver(self) -> bool:
        """Say whether so little of the town lies in the area that it may not have been meant."""
        return self.share < SLIVER


def entered_towns(towns: Sheet, area: BaseGeometry) -> list[Entered]:
    """Return the towns that an area in degrees enters by more than a metre, by their codes."""
    met = towns.met(area)
    shares = np.ones(len(met))
    partly = np.flatnonzero(~shapely.covers(area, towns.shapes[met]))
    shares[partly] = _km2_within(area, towns.shapes[met[partly]]) / towns.km2[met[partly]]
    return [
        Entered(town, share, _residents(town.code, share))
        for town, share in zip(
            [towns.features[number] for number in met.tolist()],
            np.minimum(shares, 1.0).tolist(),
            strict=True,
        )
    ]


def _km2_within(area: BaseGeometry, towns: NDArray[np.object_]) -> Floats:
    """Return how many square kilometres of each town an area takes.

    Part by part, so that of an area of many houses each is held against its own town alone.
    """
    parts = shapely.get_parts(area)
    tree = STRtree(parts)
    town, part = tree.query(towns, predicate="intersects")
    whole_in, whole_part = tree.query(towns, predicate="covers")
    whole = np.isin(town * len(parts) + part, whole_in * len(parts) + whole_part)
    within = parts[part]
    within[~whole] = shapely.intersection(within[~whole], towns[town[~whole]])
    km2 = np.bincount(town, weights=areas_km2(list(within)), minlength=len(towns))
    return km2.astype(np.float64)


def all_residents(entered: Sequence[Entered]) -> float | None:
    """Return the residents of all parts of towns together, None if one is not known."""
    known = [one.residents for one in entered if one.residents is not None]
    return sum(known) if entered and len(known) == len(entered) else None


def _residents(code: str, share: float) -> float | None:
    town = town_by_geoid(code)
    return None if town is None else town.population * share
