"""The geofence's own index over the crowd, asked like any peer."""

from dataclasses import replace

import numpy as np
import shapely

from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd
from services.geofence.index.columns import Places
from services.geofence.index.live_index import LiveIndex
from services.geofence.index.people import Roll

LANGUAGES = ("en-US", "es-US")


def make_index(crowd: Crowd) -> LiveIndex:
    """Return the index of everybody in the crowd, each at version 1."""
    roll = Roll(
        ids=crowd.ids,
        versions=np.ones(len(crowd.ids), np.int64),
        reach=crowd.channels,
        language=np.where(crowd.spanish, 2, 1).astype(np.uint16),
        tags=LANGUAGES,
    )
    places = Places(crowd.lon, crowd.lat, crowd.uncertainty_m, crowd.person)
    return LiveIndex(roll, places)


def span_places(index: LiveIndex, area: Area) -> int:
    """Count the places in an area by their spans, over the index as it is now."""
    return index.view().spans(area.geometry).places


def unseen(area: Area) -> Area:
    """Return the same area as if it had just come in: nothing is prepared or remembered of it."""
    return replace(area, geometry=shapely.from_wkb(shapely.to_wkb(area.geometry)))


def everybody(index: LiveIndex, area: Area) -> int:
    """Count the people in an area, those within their uncertainty of it among them."""
    return sum(block.people.size for block in index.view().blocks(area.geometry))
