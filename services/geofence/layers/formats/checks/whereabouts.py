"""Holds codes to what is known of them: where their towns lie, and whose names are whose."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import shapely

from services.geofence.layers.faults import MOST_FAULTS, LayerFault, LayerInvalid
from services.geofence.layers.kinds import Feature
from shared.connecticut import COUNTIES, FORECAST_ZONES, PLANNING_REGIONS, Town, towns

# In every edition of the State's boundaries each town's middle lies inside its town, county,
# region and forecast zone; what is drawn coarsely may miss it by so much.
NEAR_M = 1_000.0
_METRES = 111_320.0  # in a degree of latitude, and more than in one of longitude


def check_whereabouts(features: Sequence[Feature], kind: str) -> None:
    """Hold each feature of a known code to where its towns are, and its name to the code's.

    A layer whose codes were joined to the wrong outlines would alert another town than was named.

    Raises:
        LayerInvalid: an outline lies elsewhere, or bears the name of another code.
    """
    belonging = _towns_of(kind)
    if not belonging:
        return
    names = _names_of(kind)
    codes_named = defaultdict(set)
    for code, name in names.items():
        codes_named[name.casefold()].add(code)
    faults = []
    for number, feature in enumerate(features):
        owners = codes_named.get(feature.name.strip().casefold(), set())
        if feature.code in names and owners and feature.code not in owners:
            faults.append(_fault(number, feature, "name-of-another", "That is another's name."))
        away = _away_m(feature, belonging.get(feature.code, []))
        if away > NEAR_M:
            detail = f"What has that code lies {away / 1000:.1f} km outside the outline."
            faults.append(_fault(number, feature, "code-elsewhere", detail))
    if faults:
        raise LayerInvalid(faults[:MOST_FAULTS])


def _away_m(feature: Feature, belonging: Sequence[Town]) -> float:
    if not belonging:
        return 0.0
    middles = shapely.points([(town.lon, town.lat) for town in belonging])
    return float(np.max(shapely.distance(feature.geometry, middles))) * _METRES


def _fault(number: int, feature: Feature, code: str, detail: str) -> LayerFault:
    return LayerFault(feature.code, f"/features/{number}", code, detail)


def _towns_of(kind: str) -> dict[str, list[Town]]:
    found: dict[str, list[Town]] = defaultdict(list)
    for town in towns():
        for code in _codes_of(town, kind):
            found[code].append(town)
    return found


def _codes_of(town: Town, kind: str) -> tuple[str, ...]:
    match kind:
        case "town":
            return town.geoid, town.geoid_2022
        case "county":
            return (town.county,)
        case "planning_region":
            return (town.region,)
        case "nws_zone":
            return (town.nws_zone,)
        case "same":
            return f"0{town.county}", f"0{town.region}"
    return ()


def _names_of(kind: str) -> dict[str, str]:
    match kind:
        case "town":
            return {code: town.name for town in towns() for code in _codes_of(town, kind)}
        case "county":
            return {county.fips: county.name for county in COUNTIES}
        case "planning_region":
            return {region.fips: region.name for region in PLANNING_REGIONS}
        case "nws_zone":
            return {zone.ugc: zone.name for zone in FORECAST_ZONES}
    return {}
