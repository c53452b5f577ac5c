"""Which zones are not covered by alerts, wholly or in part: true areas, never names."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.measure import area_km2
from services.geofence.psaps.coverage.zones import ZoneStatus
from services.geofence.psaps.ground import wide_parts


@dataclass(frozen=True, slots=True)
class LiveArea:
    """An alert version that is live, and its area in degrees."""

    alert_id: UUID
    version: int
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone whose people must have been alerted: its status, its name, its area in degrees."""

    status: ZoneStatus
    name: str
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class ZoneCovered:
    """How much of a zone no alert covers, and which alerts cover any of it."""

    zone: Zone
    alerts: tuple[tuple[UUID, int], ...]
    km2: float
    uncovered_km2: float

    @property
    def uncovered_share(self) -> float:
        """Return the uncovered part of the zone's area."""
        return min(1.0, self.uncovered_km2 / self.km2)

    def is_gap(self, tolerance: float) -> bool:
        """Say whether more of it is uncovered than tolerated; without any alert it always is."""
        return not self.alerts or self.uncovered_share > tolerance


def cover_zones(zones: Sequence[Zone], alerts: Sequence[LiveArea]) -> list[ZoneCovered]:
    """Hold each zone against the union of all live alerts.

    What is nowhere wider than a metre is rounding between two drawings and counts as covered.
    """
    shapes = np.array([one.geometry for one in alerts], object)
    tree = shapely.STRtree(shapes)
    return [_cover(zone, [alerts[n] for n in _near(tree, zone)]) for zone in zones]


def _near(tree: shapely.STRtree, zone: Zone) -> list[int]:
    return sorted(tree.query(zone.geometry, predicate="intersects").tolist())


def _cover(zone: Zone, alerts: Sequence[LiveArea]) -> ZoneCovered:
    left: BaseGeometry = zone.geometry
    covering = []
    for alert in alerts:
        if shapely.covers(alert.geometry, zone.geometry):
            left = shapely.Polygon()
        elif not wide_parts(shapely.intersection(zone.geometry, alert.geometry)):
            continue
        else:
            left = shapely.difference(left, alert.geometry)
        covering.append((alert.alert_id, alert.version))
    uncovered = sum(area_km2(part) for part in wide_parts(left))
    return ZoneCovered(zone, tuple(covering), area_km2(zone.geometry), uncovered)
