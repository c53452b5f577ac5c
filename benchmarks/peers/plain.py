"""Two peers without an index: shapely's prepared test of every place, and a mask of the bounds."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import shapely

from benchmarks.peers.peer import Count
from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd


@contextmanager
def prepared(crowd: Crowd, areas: list[Area]) -> Iterator[Count]:
    """Give what tests every place against the prepared area."""
    copies = {area.name: shapely.from_wkb(shapely.to_wkb(area.geometry)) for area in areas}
    for copy in copies.values():
        shapely.prepare(copy)
    yield lambda area: int(
        np.count_nonzero(shapely.intersects_xy(copies[area.name], crowd.lon, crowd.lat))
    )


def mask(crowd: Crowd) -> Count:
    """Give what counts the places in an area's bounds: the floor, for it looks at no edge."""
    lon, lat = crowd.lon, crowd.lat

    def count(area: Area) -> int:
        west, south, east, north = area.geometry.bounds
        return int(
            np.count_nonzero((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))
        )

    return count
