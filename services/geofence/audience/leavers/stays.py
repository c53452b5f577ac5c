"""Places where residents have been, as columns, and who of them an area meets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from shapely.geometry.base import BaseGeometry

from services.geofence.index.change import Spot
from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import Ints, exact
from services.geofence.index.near import within


@dataclass(frozen=True, slots=True)
class Stays:
    """Whose each place was, in degrees WGS 84, and how many metres it may be off."""

    who: Sequence[UUID]
    lon: Floats
    lat: Floats
    metres: Floats

    def met(self, area: BaseGeometry, rows: Ints) -> tuple[set[UUID], set[UUID]]:
        """Return who of some rows has been inside an area, and who by uncertainty only."""
        inside = self._people(rows[exact(area, self.lon[rows], self.lat[rows])])
        fuzzy = rows[self.metres[rows] > 0]
        near = within(area, self.lon[fuzzy], self.lat[fuzzy], self.metres[fuzzy])
        return inside, self._people(fuzzy[near]) - inside

    def _people(self, rows: Ints) -> set[UUID]:
        return {self.who[n] for n in rows.tolist()}


def stays_of(spots: Sequence[tuple[UUID, Spot]]) -> Stays:
    """Put the places of residents into columns."""
    rows = [(spot.lon, spot.lat, spot.uncertainty_m) for _, spot in spots]
    return _stays([who for who, _ in spots], rows)


def met_by(area: BaseGeometry, left: Sequence[Mapping[Any, Any]]) -> tuple[set[UUID], set[UUID]]:
    """Return who has left a place inside an area, and who one inside by uncertainty only."""
    rows = [(row["lon"], row["lat"], row["uncertainty_m"]) for row in left]
    stays = _stays([row["subscriber_id"] for row in left], rows)
    return stays.met(area, np.arange(len(rows)))


def _stays(who: Sequence[UUID], rows: Sequence[tuple[float, float, float]]) -> Stays:
    lon, lat, metres = np.array(rows, np.float64).reshape(-1, 3).T
    return Stays(who, lon, lat, metres)
