"""Owns the gazetteer of facts about Connecticut: towns, counties, planning regions, zones.
Consumes nothing; holds no boundary geometry, which comes in through `layers import`.
Publishes nothing."""

from shared.connecticut.bounds import SERVICE_BOX, STATE_BOX, Box, in_service_area, is_swapped
from shared.connecticut.divisions import COUNTIES, FORECAST_ZONES, PLANNING_REGIONS, Division, Zone
from shared.connecticut.geocodes import is_beyond_state
from shared.connecticut.towns import Town, town_by_geoid, town_by_name, towns

__all__ = [
    "COUNTIES",
    "FORECAST_ZONES",
    "PLANNING_REGIONS",
    "SERVICE_BOX",
    "STATE_BOX",
    "Box",
    "Division",
    "Town",
    "Zone",
    "in_service_area",
    "is_beyond_state",
    "is_swapped",
    "town_by_geoid",
    "town_by_name",
    "towns",
]
