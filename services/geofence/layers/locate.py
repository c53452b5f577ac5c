"""Say in which feature of a layer each point lies."""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from services.geofence.layers.kinds import Feature


def locate(
    features: Sequence[Feature], lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> list[Feature | None]:
    """Return for each point in degrees the feature it lies in or on the edge of, or None.

    On an edge that two features share the one with the smaller code answers.
    """
    ordered = sorted(features, key=lambda feature: feature.code)
    tree = shapely.STRtree(np.asarray(shapely.points(lon, lat)))
    shapes = np.array([feature.geometry for feature in ordered], object)
    shapely.prepare(shapes)
    feature, point = tree.query(shapes, predicate="intersects")
    nothing = len(ordered)
    first = np.full(len(lon), nothing, np.int64)
    np.minimum.at(first, point, feature)
    found: list[Feature | None] = [*ordered, None]
    return [found[number] for number in first.tolist()]
