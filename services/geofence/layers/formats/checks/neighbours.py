"""What an importer should know of a layer whose features are all valid by themselves."""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.layers.faults import LayerWarning
from services.geofence.layers.kinds import Feature
from shared.connecticut import COUNTIES, FORECAST_ZONES, PLANNING_REGIONS, towns

# Kinds whose features should lie side by side.
SIDE_BY_SIDE = frozenset({"town", "county", "planning_region", "nws_zone", "psap", "zip"})
# Uniting and intersecting more than this would take longer than reading it.
MOST_FEATURES, MOST_VERTICES, MOST_PAIRS = 5_000, 500_000, 20_000
MOST_NAMED = 20
# A strip of a metre along a kilometre of border is how any two editions differ.
SMALLEST_M2 = 1_000.0


def compare(features: Sequence[Feature], kind: str) -> list[LayerWarning]:
    """Return where features overlap or leave a gap, and known codes that are not there."""
    warnings = _codes(kind, [feature.code for feature in features])
    if kind not in SIDE_BY_SIDE or len(features) < 2:
        return warnings
    shapes = np.array([feature.geometry for feature in features], object)
    if len(shapes) > MOST_FEATURES or shapely.get_num_coordinates(shapes).sum() > MOST_VERTICES:
        return [*warnings, _unchecked()]
    try:
        return [*warnings, *_overlaps(features, shapes), *_gaps(features, shapes)]
    except shapely.GEOSException:
        return [*warnings, _unchecked()]


def _unchecked() -> LayerWarning:
    return LayerWarning("not-compared", "Too much to look for overlaps and gaps.")


def _overlaps(features: Sequence[Feature], shapes: np.ndarray) -> list[LayerWarning]:
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = one[one < other], other[one < other]
    if len(one) > MOST_PAIRS:
        return [_unchecked()]
    common = shapely.intersection(shapes[one], shapes[other])
    found = [
        LayerWarning("overlap", f"{area:,.0f} m2 in common.", (features[a].code, features[b].code))
        for area, a, b in zip(_square_metres(common), one.tolist(), other.tolist(), strict=True)
        if area > SMALLEST_M2
    ]
    return _bounded(found, "overlaps")


def _gaps(features: Sequence[Feature], shapes: np.ndarray) -> list[LayerWarning]:
    rings = [
        ring
        for part in shapely.get_parts(shapely.union_all(shapes))
        for ring in shapely.get_rings(part)[1:]
    ]
    holes = np.array([shapely.polygons(ring) for ring in rings], object)
    tree = shapely.STRtree(shapes)
    found = []
    for hole, area in zip(holes, _square_metres(holes), strict=True):
        if area > SMALLEST_M2:
            around = sorted(features[n].code for n in tree.query(hole, predicate="intersects"))
            spot = shapely.point_on_surface(hole)
            where = f"{area:,.0f} m2 around longitude {spot.x:.5f}, latitude {spot.y:.5f}."
            found.append(LayerWarning("gap", where, tuple(around[:5])))
    return _bounded(found, "gaps")


def _bounded(found: list[LayerWarning], what: str) -> list[LayerWarning]:
    if len(found) <= MOST_NAMED:
        return found
    more = LayerWarning("more", f"{len(found) - MOST_NAMED} more {what}.")
    return [*found[:MOST_NAMED], more]


def _square_metres(shapes: Sequence[BaseGeometry] | np.ndarray) -> list[float]:
    areas = shapely.area(np.asarray(shapes, object))
    metres = 111_320.0**2 * math.cos(math.radians(41.6))
    return (areas * metres).tolist() if len(areas) else []


def _codes(kind: str, codes: Sequence[str]) -> list[LayerWarning]:
    """Hold codes to the gazetteer's: what it knows and the layer lacks can never be resolved."""
    found = set(codes)
    editions = _known(kind)
    if not editions:
        return []
    known = max(editions, key=lambda edition: len(edition & found))
    missing, strange = sorted(known - found), sorted(found - known)
    warnings = []
    if missing:
        detail = f"{len(missing)} of {len(known)} known codes are not in the layer."
        warnings.append(LayerWarning("codes-missing", detail, tuple(missing[:MOST_NAMED])))
    if strange and kind != "nws_zone":
        detail = f"{len(strange)} codes are not known for this kind."
        warnings.append(LayerWarning("codes-unknown", detail, tuple(strange[:MOST_NAMED])))
    return warnings


def _known(kind: str) -> list[set[str]]:
    if kind == "town":
        return [{town.geoid for town in towns()}, {town.geoid_2022 for town in towns()}]
    if kind == "county":
        return [{county.fips for county in COUNTIES}]
    if kind == "planning_region":
        return [{region.fips for region in PLANNING_REGIONS}]
    if kind == "nws_zone":
        return [{zone.ugc for zone in FORECAST_ZONES}]
    return []
