"""From any known reference system to WGS 84 longitude and latitude; none is ever assumed."""

import math
import re
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.aoi import AreaOfInterest
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import Transformer, TransformerGroup

from services.geofence.layers.faults import whole_file
from shared.connecticut import SERVICE_BOX

Columns = NDArray[np.float64]

LONGEST = 20_000
# NAD 83 and its realisations are tied to WGS 84 within 4 m; NAD 27 without its grids within 10 m,
# which is the other side of a street.
ROUGHEST_M = 5.0
_HERE = AreaOfInterest(SERVICE_BOX.west, SERVICE_BOX.south, SERVICE_BOX.east, SERVICE_BOX.north)
_WGS_84 = CRS.from_epsg(4326)
_URN = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?"
    r"(?P<authority>EPSG|OGC|ESRI)[:/]{1,2}(?:[\d.]*[:/])?(?P<code>[A-Za-z0-9]{1,12})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Projection:
    """The way of one reference system to WGS 84, and how many metres it may be off."""

    name: str
    accuracy_m: float
    transformer: Transformer | None

    def to_degrees(self, x: Columns, y: Columns) -> tuple[Columns, Columns]:
        """Return longitude and latitude in degrees; infinite where there is no answer."""
        if self.transformer is None:
            return x, y
        lon, lat = self.transformer.transform(x, y, errcheck=False)
        return np.asarray(lon, np.float64), np.asarray(lat, np.float64)


def projection_of(crs: str | None) -> Projection:
    """Find the way from a reference system, given as WKT or by authority and code.

    Raises:
        LayerInvalid: it is missing, unknown, or not tied to WGS 84 well enough.
    """
    if not crs or not crs.strip():
        raise whole_file(
            "crs-missing", "The file does not say its reference system, and none is assumed."
        )
    try:
        if len(crs) > LONGEST:
            raise CRSError("too long")
        known = CRS.from_user_input(crs)
    except CRSError:
        raise whole_file("unknown-crs", "The file's reference system is not known.") from None
    if not (known.is_geographic or known.is_projected):
        raise whole_file("unknown-crs", "The file's reference system is neither map nor globe.")
    name = _name(known)
    if known.to_2d().equals(_WGS_84, ignore_axis_order=True):
        return Projection(name, 0.0, None)
    transformer = _best(known)
    if transformer is None:
        raise whole_file("unknown-crs", "The file's reference system is not tied to WGS 84.")
    if not 0 <= transformer.accuracy <= ROUGHEST_M:
        raise whole_file(
            "crs-too-rough",
            f"The file's reference system is tied to WGS 84 worse than {ROUGHEST_M:.0f} m.",
        )
    return Projection(name, transformer.accuracy, transformer)


def crs_of_urn(name: str) -> str | None:
    """Return authority and code of a reference system as GeoJSON names it, or None."""
    match = _URN.fullmatch(name.strip())
    return f"{match['authority'].upper()}:{match['code'].upper()}" if match else None


def _best(known: CRS) -> Transformer | None:
    try:
        with warnings.catch_warnings():
            # Better ways would need grids, which are neither here nor fetched.
            warnings.simplefilter("ignore")
            ways = TransformerGroup(
                known,
                _WGS_84,
                always_xy=True,
                allow_ballpark=False,
                area_of_interest=_HERE,  # type: ignore[arg-type]
            ).transformers
    except (ProjError, CRSError):
        return None
    return ways[0] if ways and math.isfinite(ways[0].accuracy) else None


def _name(known: CRS) -> str:
    authority = known.to_authority(min_confidence=70)
    return ":".join(authority) if authority else " ".join(known.name.split())[:100]
