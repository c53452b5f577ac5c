"""Reads zipped Shapefiles and GeoPackages with GDAL, whose every correction is a refusal."""

import io
import math
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import pyogrio.raw
from numpy.typing import NDArray
from pyogrio import read_info
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

from services.geofence.layers.faults import LayerFault, LayerInvalid, whole_file
from services.geofence.layers.formats.archive import Archive
from services.geofence.layers.formats.choice import choose
from services.geofence.layers.formats.collect import text_of
from services.geofence.layers.formats.gdal.rings import find_stray

_SIDECARS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
# What GDAL says of files that it takes as they are.
_HARMLESS = re.compile("non conformant file extension|Non closed ring detected")
_ERRORS = (DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError)
_WHOLE = {"OFTInteger", "OFTInteger64"}


@dataclass(frozen=True, slots=True)
class Source:
    """A file that GDAL can open: its bytes, its one layer, its fields and reference system.

    Of a shapefile also its shapes and their index, in which rings stand as they were written.
    """

    data: bytes
    layer: str
    fields: tuple[str, ...]
    crs: str | None
    shp: bytes = b""
    shx: bytes = b""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some features in the file's order: WKB, and the values of each field that was asked for.

    `records` are the numbers the file itself gives them; deleted ones are left out.
    """

    first: int
    records: Sequence[int]
    geometries: Sequence[bytes | None]
    values: dict[str, list[object]]


def open_shapefile(archive: Archive, *, layer: str | None) -> tuple[str, Source]:
    """Return the name of the shapefile that is meant and its parts, packed anew.

    Raises:
        LayerInvalid: no one shapefile that is meant, or not all of its parts.
    """
    stems = {
        name[: -len(".shp")]: PurePosixPath(name).stem
        for name in archive.names
        if PurePosixPath(name).suffix.lower() == ".shp"
    }
    chosen = choose(list(stems.values()), layer)
    (stem,) = (one for one, name in stems.items() if name == chosen)
    parts: dict[str, bytes] = {}
    for name in archive.names:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in _SIDECARS and name[: -len(suffix)] == stem:
            parts[suffix] = archive.read(name)
    for suffix in (".shx", ".dbf"):
        if suffix not in parts:
            raise whole_file("incomplete-file", f"The shapefile's {suffix} is not in the archive.")
    if not parts.get(".prj", b"").strip():
        raise whole_file(
            "crs-missing", "The shapefile has no .prj: its reference system is not assumed."
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as made:
        for suffix, part in parts.items():
            made.writestr(f"layer{suffix}", part)
    opened = open_source(packed.getvalue(), "layer")
    return chosen, replace(opened, shp=parts[".shp"], shx=parts[".shx"])


def open_source(data: bytes, layer: str) -> Source:
    """Look at one layer of a file's bytes.

    Raises:
        LayerInvalid: GDAL cannot open it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            info = read_info(data, layer=layer)
    except (*_ERRORS, UnicodeDecodeError):
        raise _unreadable() from None
    return Source(data, layer, tuple(str(name) for name in info["fields"]), info["crs"])


def match(source: Source, names: Sequence[str]) -> list[str]:
    """Return the fields of these names, or of a name that differs by its case alone."""
    found = []
    for name in names:
        alike = [field for field in source.fields if field.casefold() == name.casefold()]
        found += [name] if name in source.fields else alike
    return list(dict.fromkeys(found))


def read_batches(
    source: Source, *, fields: Sequence[str], most: int, size: int = 20_000
) -> Iterator[Batch]:
    """Read features batch by batch, in the file's order; by the first field a feature is named.

    Raises:
        LayerInvalid: there are more than `most`, they cannot be read, or GDAL corrected one.
    """
    first = 0
    while True:
        batch, corrected = _read(source, fields, first, size)
        if corrected:
            raise _corrected(source, fields, _culprit(source, first, len(batch.geometries)))
        first += len(batch.geometries)
        if first > most:
            raise whole_file("too-complex", f"A layer has at most {most} features.")
        if batch.geometries:
            yield batch
        if len(batch.geometries) < size:
            return


def _read(source: Source, fields: Sequence[str], first: int, size: int) -> tuple[Batch, bool]:
    """Read a batch; say also whether GDAL corrected anything in it."""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            meta, records, geometries, columns = pyogrio.raw.read(
                source.data,
                layer=source.layer,
                columns=list(fields),
                skip_features=first,
                max_features=size,
                return_fids=True,
            )
    except (UnicodeDecodeError, LookupError, OSError):
        # A codec that is not loaded cannot be opened any more.
        raise whole_file("bad-encoding", "The attributes are in no encoding known.") from None
    except _ERRORS:
        raise _unreadable() from None
    values = {
        str(name): _values(column, ogr_type)
        for name, column, ogr_type in zip(meta["fields"], columns, meta["ogr_types"], strict=True)
    }
    found = [] if geometries is None else list(geometries)
    corrected = any(not _HARMLESS.search(str(one.message)) for one in said)
    return Batch(first, records.tolist(), found, values), corrected


def _values(column: NDArray[Any], ogr_type: str) -> list[object]:
    """Return plain Python values; whole numbers that came as fractions because some are missing."""
    values: list[object] = column.tolist()
    if ogr_type not in _WHOLE:
        return values
    return [
        (int(one) if math.isfinite(one) else None) if isinstance(one, float) else one
        for one in values
    ]


def _culprit(source: Source, first: int, count: int) -> int | None:
    """Return the number of the first feature that GDAL corrects."""
    while count > 1:
        half = count // 2
        if _read(source, (), first, half)[1]:
            count = half
        else:
            first, count = first + half, count - half
    return first if _read(source, (), first, 1)[1] else None


def _corrected(source: Source, fields: Sequence[str], number: int | None) -> LayerInvalid:
    detail = "Rings run the wrong way round, or a hole lies outside its shell; none is repaired."
    if number is None:
        return LayerInvalid([LayerFault("", "/geometry", "invalid-geometry", detail)])
    batch, _ = _read(source, fields[:1], number, 1)
    properties = {name: values[0] for name, values in batch.values.items()}
    named = text_of({"properties": properties}, fields[0]) if fields else None
    feature, at = named or f"number {number}", f"/features/{number}/geometry"
    stray = find_stray(source.shp, source.shx, batch.records[0])
    if stray is None:
        return LayerInvalid([LayerFault(feature, at, "invalid-geometry", detail)])
    ring, vertex = stray
    at = f"{at}/coordinates/{ring}/{vertex}"
    detail = "Hole lies outside shell; of a shapefile's rings those against the clock are holes."
    return LayerInvalid([LayerFault(feature, at, "hole-outside-shell", detail)])


def _unreadable() -> LayerInvalid:
    return whole_file("malformed-file", "The file cannot be read.")
