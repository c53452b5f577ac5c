"""Boundary files of every format, made on the spot: good ones, and ones with a fault."""

import contextlib
import io
import json
import sqlite3
import struct
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pyproj

Ring = Sequence[Sequence[float]]
SQUARE = [[-72.8, 41.5], [-72.6, 41.5], [-72.6, 41.7], [-72.8, 41.7], [-72.8, 41.5]]
EAST = [[x + 0.2, y] for x, y in SQUARE]
BOW_TIE = [[-72.8, 41.5], [-72.6, 41.7], [-72.6, 41.5], [-72.8, 41.7], [-72.8, 41.5]]
WGS_84 = "EPSG:4326"


def wkb_of(*rings: Ring) -> bytes:
    """Write a polygon as it stands, valid or not; positions of three numbers have an altitude."""
    size = len(rings[0][0])
    made = struct.pack("<BII", 1, 3 if size == 2 else 1003, len(rings))
    for ring in rings:
        made += struct.pack("<I", len(ring))
        made += b"".join(struct.pack(f"<{size}d", *position) for position in ring)
    return made


def projected(ring: Ring, crs: str) -> list[list[float]]:
    """Bring a ring in degrees to another reference system, x before y."""
    way = pyproj.Transformer.from_crs(WGS_84, crs, always_xy=True)
    return [list(way.transform(*position)) for position in ring]


def write(
    folder: Path,
    name: str,
    polygons: Sequence[bytes | None],
    *,
    crs: str | None = WGS_84,
    layer: str | None = None,
    fields: Mapping[str, Sequence[Any]] | None = None,
    geometry_type: str = "Polygon",
) -> Path:
    """Write geometries with codes 1, 2, … and names to a GeoPackage or Shapefile, by its ending."""
    numbers = range(1, len(polygons) + 1)
    held = fields or {
        "geoid": [str(number) for number in numbers],
        "name": [f"Town {number}" for number in numbers],
    }
    file = folder / name
    pyogrio.raw.write(
        file, np.array([*polygons, None], object)[:-1],
        [_column(values) for values in held.values()], list(held),
        field_mask=[np.array([value is None for value in values]) for values in held.values()],
        geometry_type=geometry_type, crs=crs, layer=layer, append=file.exists(),
        driver="GPKG" if name.endswith(".gpkg") else "ESRI Shapefile",
    )  # fmt: skip
    return file


def _column(values: Sequence[Any]) -> Any:
    if isinstance(values[0], str):
        return np.array(values, object)
    return np.array([0 if value is None else value for value in values])


def gpkg(*polygons: bytes | None, crs: str = WGS_84, **more: Any) -> bytes:
    """Return a GeoPackage of polygons."""
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder), "towns.gpkg", polygons, crs=crs, **more).read_bytes()


def changed(data: bytes, *statements: str) -> bytes:
    """Return a GeoPackage after some SQL."""
    with contextlib.closing(sqlite3.connect(":memory:")) as opened:
        opened.deserialize(data)
        # The triggers of a GeoPackage call functions that only GDAL has.
        for (name,) in opened.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall():
            opened.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            opened.execute(statement)
        opened.commit()
        return opened.serialize()


def shapefile(
    *polygons: bytes | None, crs: str | None = WGS_84, without: Sequence[str] = (), **more: Any
) -> bytes:
    """Return a ZIP archive of a shapefile, without some of its parts."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), "towns.shp", polygons, crs=crs, **more)
        parts = sorted(Path(folder).iterdir())
        return archive({one.name: one.read_bytes() for one in parts if one.suffix not in without})


def archive(members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP archive of members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return made.getvalue()


def kml(*placemarks: str, before: str = "", after: str = "") -> bytes:
    """Return a KML document with one folder of placemarks."""
    folder = f"<Folder><name>Towns</name>{''.join(placemarks)}</Folder>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<kml xmlns="http://www.opengis.net/kml/2.2">'
        f"<Document><name>All</name>{folder}{after}</Document></kml>"
    ).encode()


def placemark(code: str, *rings: Ring, name: str = "Kent", inside: str = "") -> str:
    """Return a placemark of one polygon with a code and a name."""
    sides = "".join(
        f"<{side}><LinearRing><coordinates>{_positions(ring)}</coordinates></LinearRing></{side}>"
        for side, ring in zip(["outerBoundaryIs", *["innerBoundaryIs"] * 9], rings, strict=False)
    )
    data = f'<ExtendedData><Data name="geoid"><value>{code}</value></Data></ExtendedData>'
    shape = inside or f"<Polygon>{sides}</Polygon>"
    return f"<Placemark><name>{name}</name>{data}{shape}</Placemark>"


def geojson(*rings: Ring, crs: str | None = None) -> bytes:
    """Return a FeatureCollection of polygons with codes 1, 2, …; `crs` as older files name it."""
    features = [
        {
            "type": "Feature",
            "properties": {"geoid": str(number), "name": f"Town {number}"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for number, ring in enumerate(rings, 1)
    ]
    made: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if crs:
        made["crs"] = {"type": "name", "properties": {"name": crs}}
    return json.dumps(made).encode()


def _positions(ring: Ring) -> str:
    return "\n ".join(",".join(str(number) for number in position) for position in ring)
