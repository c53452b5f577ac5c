"""Draw an area with few vertices, for feeds and carriers, so that nobody in it is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon, STRtree

from services.geofence.areas.measure import area_km2
from services.geofence.areas.outlines.thin import as_area, rings_of, thin

# What carriers are commonly said to take; a box has five coordinates.
MOST, FEWEST = 100, 8
# Outlines are written with six decimals, 0.1 m. Rounding moves a vertex by 0.7e-6 at most, so
# what stands off by twice that still covers.
DECIMALS = 6
STAND_OFF_DEG = 1.5e-6
MITRE = 5.0
# Parts with fewer coordinates than these each cannot follow anything.
COORDINATES_A_PART = 12
# Pairs of so many parts are weighed one by one: 1,770 of them.
WEIGHED = 60
TRIES = 4


@dataclass(frozen=True, slots=True)
class Outline:
    """What stands for an area where vertices are few; recipients are never chosen by it.

    `growth` is how much of the area's own size it adds: 0.1 is a tenth more.
    """

    geometry: Polygon | MultiPolygon
    vertices: int
    growth: float


def outline(area: Polygon | MultiPolygon, *, most: int = MOST) -> Outline:
    """Return a valid outline of at most so many coordinates that covers an area in degrees.

    Raises:
        ValueError: fewer than FEWEST coordinates are allowed.
    """
    if most < FEWEST:
        raise ValueError(f"an outline has {FEWEST} coordinates or more")
    drawn = _draw(area, most)
    own = area_km2(area)
    return Outline(drawn, _count(drawn), max(0.0, area_km2(drawn) / own - 1))


def _draw(area: Polygon | MultiPolygon, most: int) -> Polygon | MultiPolygon:
    if _count(area) <= most:
        return area
    parts = [area] if isinstance(area, Polygon) else list(area.geoms)
    allowed = max(1, most // COORDINATES_A_PART)
    while True:
        parts = _merged(parts, allowed)
        found = _thinned(area, parts, most)
        if found is not None:
            return found
        if allowed == 1:
            break
        allowed //= 2
    return _thinned(area, [_hull(parts)], most) or _box(area)


def _thinned(
    area: Polygon | MultiPolygon, parts: Sequence[Polygon], most: int
) -> Polygon | MultiPolygon | None:
    """Return an outline of parts, held against the area itself; None where it does not hold."""
    aim, thinned = most, rings_of(parts)
    for _ in range(TRIES):
        thinned = thin(thinned, most=aim)
        if thinned.coordinates > aim:
            return None
        drawn = _rounded(as_area(thinned.polygons()))
        if drawn is None or not shapely.covers(drawn, area):
            return None
        over = _count(drawn) - most
        if over <= 0:
            return drawn
        # Sharp corners are cut when an outline stands off, a vertex more each.
        aim -= over
        if aim < FEWEST:
            return None
    return None


def _rounded(shape: Polygon | MultiPolygon) -> Polygon | MultiPolygon | None:
    apart = shape.buffer(STAND_OFF_DEG, join_style="mitre", mitre_limit=MITRE)
    written = shapely.transform(apart, lambda at: np.round(at, DECIMALS))
    good = isinstance(written, (Polygon, MultiPolygon)) and shapely.is_valid(written)
    return written if good and not written.is_empty else None


def _merged(parts: Sequence[Polygon], most: int) -> list[Polygon]:
    """Return at most so many parts: those that cost least together become one, bulging out."""
    few = max(most, WEIGHED)
    parts = _disjoint(_gathered(parts, few) if len(parts) > few else parts)
    while len(parts) > most:
        first, second = np.triu_indices(len(parts), 1)
        shapes = np.array(parts)
        pairs = np.asarray(shapely.multipolygons(np.stack([shapes[first], shapes[second]], axis=1)))
        added = shapely.area(shapely.convex_hull(pairs)) - shapely.area(pairs)
        best = int(np.argmin(added))
        pair = (int(first[best]), int(second[best]))
        rest = [part for number, part in enumerate(parts) if number not in pair]
        parts = _disjoint([*rest, _hull([parts[number] for number in pair])])
    return list(parts)


def _gathered(parts: Sequence[Polygon], most: int) -> list[Polygon]:
    """Return the hulls of so many groups of parts: the widest group is split at its widest gap."""
    spots = shapely.bounds(np.array(parts)).reshape(-1, 2, 2).mean(axis=1)
    groups = [np.arange(len(parts))]
    while len(groups) < most:
        widest = max(range(len(groups)), key=lambda one: np.ptp(spots[groups[one]], axis=0).sum())
        group = groups.pop(widest)
        order = np.argsort(spots[group], axis=0, kind="stable")
        gaps = np.diff(np.take_along_axis(spots[group], order, axis=0), axis=0)
        at, axis = np.unravel_index(int(np.argmax(gaps)), gaps.shape)
        groups += [group[order[: at + 1, axis]], group[order[at + 1 :, axis]]]
    return [_hull([parts[number] for number in group.tolist()]) for group in groups]


def _disjoint(parts: Sequence[Polygon]) -> list[Polygon]:
    """Return parts none of which meet: those that do are wrapped in one hull."""
    parts = list(parts)
    while True:
        first, second = STRtree(parts).query(np.array(parts), predicate="intersects")
        pairs = [(a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True) if a < b]
        if not pairs:
            return parts
        a, b = pairs[0]
        met = {a, b} | {y for x, y in pairs if x == a} | {x for x, y in pairs if y == a}
        rest = [part for number, part in enumerate(parts) if number not in met]
        parts = [*rest, _hull([parts[number] for number in sorted(met)])]


def _hull(parts: Sequence[Polygon]) -> Polygon:
    return Polygon(shapely.get_exterior_ring(MultiPolygon(list(parts)).convex_hull))


def _box(area: Polygon | MultiPolygon) -> Polygon:
    scale = 10**DECIMALS
    west, south, east, north = (np.array(area.bounds) * scale).tolist()
    low, high = (floor(west) - 1, floor(south) - 1), (ceil(east) + 1, ceil(north) + 1)
    return Polygon(
        [(x / scale, y / scale) for x, y in (low, (high[0], low[1]), high, (low[0], high[1]), low)]
    )


def _count(shape: Polygon | MultiPolygon) -> int:
    return int(shapely.get_num_coordinates(shape))
