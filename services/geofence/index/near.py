"""Which imprecise points lie within their own uncertainty of an area, by true distance."""

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import (
    FLATTENING,
    MAJOR_M,
    SHORTEST_DEGREE_M,
    Floats,
    distance_m,
)
from services.geofence.layers.geometry import edges_of

# Edges that lie one after the other are found together, by one box around them.
TOGETHER = 32
# Pairs of points and such boxes looked at together: bounds what memory must hold.
BATCH = 8_192
# Nearer to a pole a degree of longitude means too little to stretch by.
TOO_FAR_NORTH = 89.0
# More than a plane that touches the ellipsoid at a point can be off by within 100 km.
OFF, OFF_M = 0.02, 1.0
_ECCENTRICITY_SQ = FLATTENING * (2 - FLATTENING)


def within(area: BaseGeometry, lon: Floats, lat: Floats, radius_m: Floats) -> NDArray[np.bool_]:
    """Say for each point in degrees whether the area is at most its radius in metres away.

    A point inside or on the edge is. For the others a stretched plane decides wherever it can;
    the few it leaves open are measured along the ellipsoid, to the spot of each edge that is
    nearest in the plane touching it at the point: exact to 1 part in 10,000 up to 20 km.
    """
    result = np.zeros(len(lon), np.bool_)
    west, south, east, north = area.bounds
    wide, tall = _reach(lat, radius_m)
    close = np.flatnonzero(
        (lon + wide >= west) & (lon - wide <= east) & (lat + tall >= south) & (lat - tall <= north)
    )
    if not len(close):
        return result
    shapely.prepare(area)
    inside = shapely.intersects_xy(area, lon[close], lat[close])
    result[close[inside]] = True
    outside = close[~inside]
    if len(outside):
        sure, unsure = _by_plane(area, lon[outside], lat[outside], radius_m[outside])
        result[outside[sure]] = True
        left = outside[unsure]
        result[left] = _by_edges(area, lon[left], lat[left], radius_m[left])
    return result


def _reach(lat: Floats, radius_m: Floats) -> tuple[Floats, Floats]:
    """Return how many degrees of longitude and latitude a radius reaches at the most."""
    tall = radius_m / SHORTEST_DEGREE_M
    return tall / np.cos(np.radians(np.minimum(np.abs(lat) + tall, TOO_FAR_NORTH))), tall


def _degree_m(lat: Floats) -> tuple[Floats, Floats]:
    """Return how many metres a degree of longitude and one of latitude are there."""
    phi = np.radians(lat)
    bend = 1 - _ECCENTRICITY_SQ * np.sin(phi) ** 2
    east_m = np.radians(1) * MAJOR_M / np.sqrt(bend) * np.cos(phi)
    return east_m, np.radians(1) * MAJOR_M * (1 - _ECCENTRICITY_SQ) / bend**1.5


def _by_plane(
    area: BaseGeometry, lon: Floats, lat: Floats, radius_m: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which points are surely within their radius, and which may be, by stretched degrees.

    Over the latitudes that the radii reach, a metre of the plane is between `least` and `most`
    true metres whatever its direction: the true way is no longer than the straight line on the
    plane times the one, and the line no longer than the true way divided by the other.
    """
    tall = radius_m / SHORTEST_DEGREE_M
    south, north = float((lat - tall).min()), float((lat + tall).max())
    if max(-south, north) > TOO_FAR_NORTH:
        return np.zeros(len(lon), np.bool_), np.ones(len(lon), np.bool_)
    scale = np.stack(_degree_m(np.array([(south + north) / 2])), axis=1)
    # Degrees grow or shrink steadily from the equator on.
    met = np.stack(_degree_m(np.array([south, north, np.clip(0.0, south, north)])), axis=1) / scale
    least, most = met.min() * (1 - 1e-9), met.max() * (1 + 1e-9)
    plane = shapely.transform(area, lambda points: points * scale)
    shapely.prepare(plane)
    points = np.asarray(shapely.points(np.column_stack([lon, lat]) * scale))
    may_be = np.asarray(shapely.dwithin(plane, points, radius_m / least))
    sure = np.zeros(len(lon), np.bool_)
    sure[may_be] = shapely.dwithin(plane, points[may_be], radius_m[may_be] / most)
    return sure, may_be & ~sure


def _by_edges(area: BaseGeometry, lon: Floats, lat: Floats, radius_m: Floats) -> NDArray[np.bool_]:
    """Measure from each point to every edge that its radius may reach."""
    result = np.zeros(len(lon), np.bool_)
    edges = edges_of(area)
    first = np.arange(0, len(edges), TOGETHER)
    lons, lats = edges[:, 0::2], edges[:, 1::2]
    west, south = (np.minimum.reduceat(one.min(axis=1), first) for one in (lons, lats))
    east, north = (np.maximum.reduceat(one.max(axis=1), first) for one in (lons, lats))
    wide, tall = _reach(lat, radius_m)
    around = shapely.box(lon - wide, lat - tall, lon + wide, lat + tall)
    point, box = STRtree(np.asarray(shapely.box(west, south, east, north))).query(around)
    for at in range(0, len(point), BATCH):
        who = np.repeat(point[at : at + BATCH], TOGETHER)
        edge = (first[box[at : at + BATCH], None] + np.arange(TOGETHER)).ravel()
        there = edge < len(edges)
        who, edge = who[there], edge[there]
        result[who[_reaches(lon[who], lat[who], radius_m[who], edges[edge])]] = True
    return result


def _reaches(lon: Floats, lat: Floats, radius_m: Floats, edges: Floats) -> NDArray[np.bool_]:
    """Say whether each point is at most its radius in metres from the edge beside it."""
    east_m, north_m = _degree_m(lat)
    x1, y1 = (edges[:, 0] - lon) * east_m, (edges[:, 1] - lat) * north_m
    dx, dy = (edges[:, 2] - edges[:, 0]) * east_m, (edges[:, 3] - edges[:, 1]) * north_m
    length_sq = dx * dx + dy * dy
    share = np.divide(-(x1 * dx + y1 * dy), length_sq, out=np.zeros_like(dx), where=length_sq > 0)
    share = np.clip(share, 0, 1)
    flat_m = np.hypot(x1 + share * dx, y1 + share * dy)
    reached = flat_m <= radius_m * (1 + OFF) + OFF_M
    near, part = edges[reached], share[reached]
    reached[reached] = radius_m[reached] >= distance_m(
        lon[reached],
        lat[reached],
        near[:, 0] + part * (near[:, 2] - near[:, 0]),
        near[:, 1] + part * (near[:, 3] - near[:, 1]),
    )
    return np.asarray(reached)
