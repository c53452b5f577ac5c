"""Whether shapes cross each other so often that uniting them would take minutes."""

from collections.abc import Sequence

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from services.geofence.layers.geometry import edges_of

# Uniting takes some 10 µs a crossing, and each becomes a vertex or two: ten thousand edges can
# cross six million times, which took three minutes. Drawings by people have a few hundred.
MOST_CROSSINGS = 20_000
# Pairs of edges whose boxes meet, a shape's own among them: each has to be looked at, which
# bounds the looking itself. An outline of 5,000 vertices has 15,000 such pairs, a star 6 million.
MOST_PAIRS = 600_000
# Few, so that a bomb's answer is known long before all of its pairs have been looked at.
BATCH = 32


def cross_too_often(drawn: Sequence[BaseGeometry], known: Sequence[BaseGeometry] = ()) -> bool:
    """Say whether drawn shapes cross each other and known ones more than MOST_CROSSINGS times.

    How often known shapes cross one another is not asked: they are nobody's drawing.
    """
    if not drawn or len(drawn) + len(known) < 2:
        return False
    edges = [edges_of(shape) for shape in (*drawn, *known)]
    owner = np.repeat(np.arange(len(edges)), [len(one) for one in edges])
    lines = np.asarray(shapely.linestrings(np.concatenate(edges).reshape(-1, 2, 2)))
    tree = STRtree(lines)
    pairs = crossings = 0
    for at in range(0, sum(len(one) for one in edges[: len(drawn)]), BATCH):
        first, second = tree.query(lines[at : at + BATCH])
        pairs += len(first)
        if pairs > MOST_PAIRS:
            return True
        first += at
        # Each pair once: that of the earlier shape with the later.
        apart = owner[first] < owner[second]
        first, second = first[apart], second[apart]
        crossings += int(shapely.intersects(lines[first], lines[second]).sum())
        if crossings > MOST_CROSSINGS:
            return True
    return False
