"""A circle in true metres as a polygon of geodesic spokes."""

import numpy as np
import shapely
from shapely import Polygon

from services.geofence.index.geodesy import travel

# The polygon stands outside the circle by at most this much and never inside it, so that
# nobody within the radius is lost.
OVERSHOOT_M = 0.05
FEWEST_SPOKES = 64
# An edge of 200 m is straight in degrees and so up to 0.7 mm off the shortest way.
BULGE_M = 0.002
SAGITTA_M = OVERSHOOT_M - 5 * BULGE_M


def circle(lon: float, lat: float, radius_m: float) -> Polygon:
    """Return the polygon around a circle: degrees WGS 84, radius in metres up to 100 km.

    Whoever is within the radius is inside; nobody more than 5 cm beyond it is. From then on the
    polygon is the area: it is what is shown, approved and matched.
    """
    spokes = max(FEWEST_SPOKES, int(np.ceil(np.pi * np.sqrt(radius_m / (2 * SAGITTA_M)))))
    bearing = np.linspace(0, 2 * np.pi, spokes, endpoint=False)
    x, y = travel(lon, lat, -bearing, (radius_m + BULGE_M) / np.cos(np.pi / spokes))
    return Polygon(shapely.linearrings(np.column_stack([x, y])))
