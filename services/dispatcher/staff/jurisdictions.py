"""Whether an area stays inside a jurisdiction: a test of geometry, never of names."""

import shapely

# One metre: borders drawn twice differ by rounding (A12).
TOLERANCE_M = 1.0
# Metres a degree at Connecticut's middle latitude, 41.6° north.
_METRES_A_DEGREE = (83_240.0, 111_320.0)


def covers(jurisdiction_wkb: bytes, area_wkb: bytes) -> bool:
    """Tell whether the area lies inside the jurisdiction, give or take a metre.

    Both are WKB in degrees WGS 84, lon/lat.
    """
    jurisdiction, area = (
        shapely.transform(shapely.from_wkb(wkb), lambda at: at * _METRES_A_DEGREE)
        for wkb in (jurisdiction_wkb, area_wkb)
    )
    return bool(jurisdiction.buffer(TOLERANCE_M).covers(area))
