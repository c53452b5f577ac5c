"""Whether the edges of an area run through so many cells that counting in it would take seconds."""

import numpy as np
from shapely.geometry.base import BaseGeometry

from services.geofence.index.grid import PER_DEGREE
from services.geofence.layers.geometry import edges_of

# Each edge in each cell it runs through is looked at with the places there. All towns at once
# have 60,000 such pairs; a zigzag of 5,000 edges across the State has two million.
MOST_CELLS = 250_000


def wind_too_far(area: BaseGeometry) -> bool:
    """Say whether the edges of an area in degrees meet cells of the index too often."""
    edges = edges_of(area)
    steps = np.abs(edges[:, 2:] - edges[:, :2]) * PER_DEGREE
    return bool(np.ceil(steps).sum() + len(edges) > MOST_CELLS)
