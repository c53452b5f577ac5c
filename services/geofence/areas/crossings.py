"""Whether shapes cross each other so often that uniting them would take minutes."""

from collections.abc import Sequence

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from services.geofence.index.near import edges_of

# Uniting takes some 10 µs a crossing, and each becomes a vertex or two: ten thousand edges can
# cross six million times, which took three minutes. Drawings by people have a few hundred.
MOST_CROSSINGS = 40_000
# Pairs of edges whose boxes meet: each has to be looked at, which bounds the looking itself.
MOST_PAIRS = 1_000_000
BATCH = 256


def cross_too_often(shapes: Sequence[BaseGeometry]) -> bool:
    """Say whether the edges of different shapes meet more than MOST_CROSSINGS times."""
    if len(shapes) < 2:
        return False
    edges = [edges_of(shape) for shape in shapes]
    owner = np.repeat(np.arange(len(shapes)), [len(one) for one in edges])
    lines = np.asarray(shapely.linestrings(np.concatenate(edges).reshape(-1, 2, 2)))
    tree = STRtree(lines)
    pairs = crossings = 0
    for at in range(0, len(lines), BATCH):
        first, second = tree.query(lines[at : at + BATCH])
        first += at
        # Each pair once: that of the earlier shape with the later.
        apart = owner[first] < owner[second]
        first, second = first[apart], second[apart]
        pairs += len(first)
        if pairs > MOST_PAIRS:
            return True
        crossings += int(shapely.intersects(lines[first], lines[second]).sum())
        if crossings > MOST_CROSSINGS:
            return True
    return False
