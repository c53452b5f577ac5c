"""Which jurisdictions an area enters or comes near to, and whether it stays in one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.measure import flatten, from_plane
from services.geofence.index.geodesy import distance_m
from services.geofence.layers.kinds import Feature

# About a metre: borders of drawn areas and of layers never agree to the last digit (A12).
ROUNDING_DEG = 1e-5
TOLERANCE_M = 1.0
# Who lies so near is to be told of what an area's people are told (M19).
NEAR_M = 5_000.0
# What the plane of metres may be off by over that distance.
SLACK_M = 5.0


@dataclass(frozen=True, slots=True)
class Near:
    """A feature that an area does not enter, and its distance from it in metres."""

    feature: Feature
    distance_m: float


def cores_of(shapes: np.ndarray) -> np.ndarray:
    """Return shapes without the metre along their edges; a shape as thin as that stays whole."""
    cores = shapely.buffer(shapes, -ROUNDING_DEG)
    return np.where(shapely.is_empty(cores), shapes, cores)


def enters(area: BaseGeometry, cores: np.ndarray) -> np.ndarray:
    """Say which features an area enters by more than a metre, of those it meets, by their cores.

    Features are given without their edge, and not the area, whose edge may be long: nobody can
    draw what makes this slow. An area of two metres counts as entering whatever it meets.
    """
    west, south, east, north = area.bounds
    if max(east - west, north - south) <= 2 * ROUNDING_DEG:
        return np.ones(len(cores), np.bool_)
    shapely.prepare(area)
    return np.asarray(shapely.intersects(area, cores))


def near_to(
    features: Sequence[Feature],
    flat: STRtree,
    area: BaseGeometry,
    *,
    entered: Collection[str],
    within_m: float = NEAR_M,
) -> list[Near]:
    """Return the features, but those it enters, at most so many true metres from an area.

    `flat` holds their geometries, in the same order, on the plane of metres; `entered` names
    codes. The nearest two points are found on the plane and their distance is measured along the
    ellipsoid.
    """
    (own,) = flatten([area])
    shapely.prepare(own)
    found = np.sort(flat.query(own, predicate="dwithin", distance=within_m + SLACK_M))
    found = found[[features[number].code not in entered for number in found.tolist()]]
    if not len(found):
        return []
    # Neither lies in the other, so their edges say all; asking polygons takes 50 times as long.
    edge = shapely.boundary(own)
    shapely.prepare(edge)
    lines = shapely.shortest_line(edge, flat.geometries[found])
    ends = from_plane(shapely.get_coordinates(lines)).reshape(-1, 4)
    metres = distance_m(ends[:, 0], ends[:, 1], ends[:, 2], ends[:, 3])
    return [
        Near(features[number], round(one, 1))
        for number, one in zip(found.tolist(), metres.tolist(), strict=True)
        if one <= within_m
    ]


def lies_in(area: BaseGeometry, jurisdiction: BaseGeometry) -> bool:
    """Say whether an area stays inside a jurisdiction, give or take a metre."""
    if jurisdiction.covers(area):
        return True
    flat_area, flat_jurisdiction = flatten([area, jurisdiction])
    return bool(flat_jurisdiction.buffer(TOLERANCE_M).covers(flat_area))
