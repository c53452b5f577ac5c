"""The one form an area has from here on: its union as WKB, compressed, with its digest."""

import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from services.geofence.layers.geometry import GeometryRefused

# What an event can carry.
LARGEST_COMPRESSED = 900_000
# An area of 900 kB compressed is some 2 MB of WKB; a bomb of zeros would be a thousand times that.
LARGEST_WKB = 16_000_000


class AreaBroken(Exception):
    """An area that came over the bus and is missing, altered or no area at all."""


@dataclass(frozen=True, slots=True)
class Area:
    """An area everybody agrees on: geometry in degrees WGS 84, its WKB and SHA-256 in hex."""

    geometry: Polygon | MultiPolygon
    wkb: bytes
    digest: str

    @property
    def packed(self) -> str:
        """The WKB as events and answers carry it: base64 of zlib."""
        return b64encode(zlib.compress(self.wkb, 6)).decode("ascii")


def normalise(parts: Sequence[BaseGeometry]) -> Area:
    """Unite valid areas into one; equal input gives equal bytes and one digest.

    Raises:
        GeometryRefused: nothing is left, or too much to be carried.
    """
    # One part stays as it was drawn, to the last digit; only several need new vertices.
    united = parts[0] if len(parts) == 1 else shapely.union_all(list(parts))
    if len(shapely.get_parts(united)) == 1:
        united = shapely.get_parts(united)[0]
    united = shapely.normalize(united)
    if not isinstance(united, (Polygon, MultiPolygon)) or united.is_empty or united.area <= 0:
        raise GeometryRefused("empty-area", "/include", "The shapes together enclose nothing.")
    if not shapely.is_valid(united):
        raise GeometryRefused("invalid-geometry", "/include", "The shapes cannot be united.")
    wkb = shapely.to_wkb(united, byte_order=1, output_dimension=2)
    # What is as short as it is needs no compressing to be known to fit.
    if len(wkb) > LARGEST_COMPRESSED and len(zlib.compress(wkb, 6)) > LARGEST_COMPRESSED:
        raise GeometryRefused(
            "too-complex", "/include", "The area has too many vertices to be sent.", status=413
        )
    return Area(united, wkb, hashlib.sha256(wkb).hexdigest())


def unpack(packed: str, *, digest: str) -> Area:
    """Read an area as events carry it and hold it against its digest.

    Raises:
        AreaBroken: it is missing, altered, no polygon, empty, or not a valid one.
    """
    try:
        inflate = zlib.decompressobj()
        wkb = inflate.decompress(b64decode(packed, validate=True), LARGEST_WKB)
    except (ValueError, zlib.error):
        raise AreaBroken("the area cannot be unpacked") from None
    if not wkb or inflate.unconsumed_tail or not inflate.eof:
        raise AreaBroken("the area is missing, too large or cut off")
    return from_wkb(wkb, digest=digest)


def from_wkb(wkb: bytes, *, digest: str) -> Area:
    """Make an area of WKB, also of what was stored, and hold it against its digest.

    Raises:
        AreaBroken: it is altered, no polygon, empty, or not a valid one.
    """
    if hashlib.sha256(wkb).hexdigest() != digest:
        raise AreaBroken("the area is not the one of the digest")
    try:
        # Corners that are no numbers are refused below, and nothing to warn of.
        with np.errstate(invalid="ignore"):
            geometry = shapely.from_wkb(wkb)
    except shapely.GEOSException:
        raise AreaBroken("the area is no geometry") from None
    if not isinstance(geometry, (Polygon, MultiPolygon)) or geometry.is_empty:
        raise AreaBroken("the area is no polygon, or an empty one")
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise AreaBroken("the area has corners that are nowhere")
    if not shapely.is_valid(geometry) or geometry.area <= 0:
        raise AreaBroken("the area is not valid")
    return Area(geometry, wkb, digest)
