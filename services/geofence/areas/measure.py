"""How large an area is on the ground."""

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.index.geodesy import FLATTENING, MINOR_M, Floats

_E_SQ = FLATTENING * (2 - FLATTENING)
_E = np.sqrt(_E_SQ)


def area_km2(geometry: BaseGeometry) -> float:
    """Return the area in square kilometres of a geometry in degrees WGS 84.

    Projected onto the equal-area cylinder of the ellipsoid (Snyder 1987, equations 10-13 to
    10-15); edges are straight in degrees, as they are when points are matched.
    """

    def project(points: Floats) -> Floats:
        sine = np.sin(np.radians(points[:, 1]))
        part = np.log((1 - _E * sine) / (1 + _E * sine)) / (2 * _E)
        q = (1 - _E_SQ) * (sine / (1 - _E_SQ * sine**2) - part)
        major = MINOR_M / (1 - FLATTENING)
        return np.column_stack([np.radians(points[:, 0]) * major, q * major / 2])

    return float(shapely.transform(geometry, project).area) / 1e6
