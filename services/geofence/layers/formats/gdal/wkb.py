"""Reads well-known binary as it stands, also what no geometry library would take."""

import struct
from collections.abc import Sequence

_POINT, _POLYGON, _MULTI_POLYGON = 1, 3, 6
_NAMES = {
    1: "Point", 2: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString",
    6: "MultiPolygon", 7: "GeometryCollection",
}  # fmt: skip


class MalformedWkb(Exception):
    """Bytes that end too early or say what cannot be."""


def read_wkb(data: bytes) -> dict[str, object]:
    """Return a polygon or multipolygon as a GeoJSON geometry.

    Altitude comes as a third number, a measure not at all; of others only the type is read.

    Raises:
        MalformedWkb: the bytes are not what they say they are.
    """
    try:
        kind, coordinates, _ = _geometry(data, 0)
    except struct.error:
        raise MalformedWkb from None
    return {"type": kind, "coordinates": coordinates}


def _geometry(data: bytes, at: int) -> tuple[str, Sequence[object], int]:
    order = "<" if data[at : at + 1] == b"\x01" else ">"
    (code,) = struct.unpack_from(f"{order}I", data, at + 1)
    kind, numbers, altitude = _kind(code)
    at += 5
    if kind == _POLYGON:
        outline, at = _rings(data, at, f"{order}{numbers}", altitude=altitude)
        return "Polygon", outline, at
    if kind == _MULTI_POLYGON:
        (count,) = struct.unpack_from(f"{order}I", data, at)
        at += 4
        polygons: list[object] = []
        for _ in range(count):
            name, rings, at = _geometry(data, at)
            if name != "Polygon":
                raise MalformedWkb
            polygons.append(rings)
        return "MultiPolygon", polygons, at
    return _NAMES.get(kind, "Unknown"), [], at


def _kind(code: int) -> tuple[int, int, bool]:
    """Return the plain kind, numbers a position has, and whether one is an altitude.

    Both ways of writing it: thousands (ISO), and flags (PostGIS).
    """
    iso = code & 0x0FFF_FFFF
    altitude = bool(code & 0x8000_0000) or iso // 1000 in (1, 3)
    measure = bool(code & 0x4000_0000) or iso // 1000 in (2, 3)
    return iso % 1000, 2 + altitude + measure, altitude


def _rings(data: bytes, at: int, form: str, *, altitude: bool) -> tuple[list[object], int]:
    order, numbers = form[0], int(form[1:])
    (count,) = struct.unpack_from(f"{order}I", data, at)
    at += 4
    rings: list[object] = []
    for _ in range(count):
        (points,) = struct.unpack_from(f"{order}I", data, at)
        at += 4
        if at + 8 * numbers * points > len(data):
            raise MalformedWkb
        values = struct.unpack_from(f"{order}{numbers * points}d", data, at)
        at += 8 * numbers * points
        columns = [values[one::numbers] for one in range(3 if altitude else 2)]
        rings.append([list(position) for position in zip(*columns, strict=True)])
    return rings, at
