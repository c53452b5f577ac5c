"""Which features an area reaches into by more than rounding."""

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.layers.kinds import Feature

# About a metre: borders of drawn areas and of layers never agree to the last digit.
ROUNDING_DEG = 1e-5


def touched(features: Sequence[Feature], area: BaseGeometry) -> list[Feature]:
    """Return the features that the area enters by more than a metre."""
    if not features:
        return []
    shapes = np.array([feature.geometry for feature in features])
    shapely.prepare(area)
    near = np.flatnonzero(shapely.intersects(area, shapes))
    core = area.buffer(-ROUNDING_DEG)
    entered = near if core.is_empty else near[shapely.intersects(core, shapes[near])]
    return [features[number] for number in entered.tolist()]
