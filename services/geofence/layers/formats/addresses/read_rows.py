"""Read address points of any format batch by batch, in the process apart."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import orjson
import shapely

from services.geofence.layers.faults import MOST_FAULTS, LayerFault, LayerInvalid, whole_file
from services.geofence.layers.formats.addresses.fields import Parts, match_fields, match_position
from services.geofence.layers.formats.addresses.read_number import read_number
from services.geofence.layers.formats.addresses.streets import (
    alike_number,
    alike_postal,
    alike_street,
    alike_town,
)
from services.geofence.layers.formats.archive import open_archive
from services.geofence.layers.formats.geojson import read_collection, unsupported_crs
from services.geofence.layers.formats.members import WGS_84
from services.geofence.layers.formats.positions import Columns, ToDegrees, is_near

MOST_ROWS = 3_000_000
BATCH = 50_000
_PARTS = ("number", "street", "town", "unit", "postal")


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows: their parts as text, their positions as the file has them."""

    parts: dict[str, list[str]]
    x: Columns
    y: Columns


@dataclass(slots=True)
class Opened:
    """A file of points: its rows, its reference system and the way from there."""

    rows: Iterator[Rows]
    crs: str = WGS_84
    layer: str = ""
    to_degrees: ToDegrees | None = None


@dataclass(slots=True)
class _Tally:
    count: int = 0
    left_out: int = 0
    faults: list[LayerFault] = field(default_factory=list)


def read_rows(job: dict[str, Any], data: bytes) -> Iterator[bytes]:
    """Yield batches of rows as JSON columns, then what is to be said of all of them.

    Raises:
        LayerInvalid: the file cannot be used, or a point lies nowhere near the State.
    """
    if not data:
        raise whole_file("empty-body", "The file is empty.")
    opened = _open(job, data)
    tally, first = _Tally(), 0
    for rows in opened.rows:
        if first + len(rows.x) > MOST_ROWS:
            raise whole_file("too-complex", f"A layer has at most {MOST_ROWS} addresses.")
        if batch := _batch(rows, opened.to_degrees, first, tally):
            yield batch
        first += len(rows.x)
        if len(tally.faults) >= MOST_FAULTS:
            break
    if tally.faults:
        raise LayerInvalid(tally.faults[:MOST_FAULTS])
    if not tally.count:
        raise whole_file("empty-layer", "The file holds no address with a number and a street.")
    left_out = f"{tally.left_out} rows without number or street were left out."
    yield orjson.dumps(
        {
            "layer": opened.layer,
            "crs": opened.crs,
            "count": tally.count,
            "warnings": [("rows-left-out", left_out, ())] if tally.left_out else [],
        }
    )


def _batch(rows: Rows, to_degrees: ToDegrees | None, first: int, tally: _Tally) -> bytes | None:
    lon, lat = to_degrees(rows.x, rows.y) if to_degrees else (rows.x, rows.y)
    far = ~is_near(lon, lat)
    for number in np.flatnonzero(far)[: MOST_FAULTS - len(tally.faults)].tolist():
        swapped = bool(is_near(lat[number : number + 1], lon[number : number + 1])[0])
        tally.faults.append(_misplaced(first + number, swapped=swapped))
    streets = [alike_street(one) for one in rows.parts["street"]]
    numbers = [alike_number(one) for one in rows.parts["number"]]
    kept = [n for n, (one, two) in enumerate(zip(numbers, streets, strict=True)) if one and two]
    tally.left_out += len(streets) - len(kept)
    tally.count += len(kept)
    if not kept or tally.faults:
        return None
    of = {name: [values[n] for n in kept] for name, values in rows.parts.items()}
    return orjson.dumps(
        {
            "street": [streets[n] for n in kept],
            "number": [numbers[n] for n in kept],
            "town": [alike_town(one) for one in of["town"]],
            "unit": of["unit"],
            "postal": [alike_postal(one) for one in of["postal"]],
            "street_given": of["street"],
            "town_given": of["town"],
            "lon": lon[kept].tolist(),
            "lat": lat[kept].tolist(),
        }
    )


def _misplaced(number: int, *, swapped: bool) -> LayerFault:
    code = "swapped-coordinates" if swapped else "outside-service-area"
    detail = (
        "Longitude comes first, then latitude; here they seem to be swapped."
        if swapped
        else "The point has no position near Connecticut."
    )
    return LayerFault(f"number {number}", f"/features/{number}/geometry", code, detail)


def _open(job: dict[str, Any], data: bytes) -> Opened:
    asked = job["fields"]
    if job["format"] == "csv":
        return Opened(_csv_rows(data, asked))
    if job["format"] == "geojson":
        return _geojson(data, asked)
    if job["format"] == "shapefile":
        archive = open_archive(data)
        tables = [one for one in archive.names if PurePosixPath(one).suffix.lower() == ".csv"]
        if len(tables) == 1:
            return Opened(_csv_rows(archive.read(tables[0]), asked))
    return _gdal(job, data)


def _csv_rows(data: bytes, asked: Any) -> Iterator[Rows]:
    csv.field_size_limit(10_000)
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    try:
        lines = csv.reader(text, strict=True)
        header = [one.strip() for one in next(lines, [])]
        fields = match_fields(header, asked)
        at = {part: [header.index(name) for name in one.names] for part, one in fields.items()}
        lon, lat = (header.index(name) for name in match_position(header))
        for number, batch in enumerate(_in_batches(lines)):
            for place, row in enumerate(batch):
                if len(row) != len(header):
                    raise _ragged(number * BATCH + place)
            parts = {
                part: [_joined([row[one] for one in at[part]], names.needed) for row in batch]
                for part, names in fields.items()
            }
            yield Rows(parts, *(_numbers([row[one] for row in batch]) for one in (lon, lat)))
    except UnicodeDecodeError:
        raise whole_file("bad-encoding", "The file is not in UTF-8.") from None
    except csv.Error:
        raise whole_file("malformed-file", "The file is not CSV.") from None


def _in_batches(lines: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    batch: list[list[str]] = []
    for line in lines:
        if not line:
            continue
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _ragged(number: int) -> LayerInvalid:
    detail = "The row has not as many columns as the first line."
    return LayerInvalid([LayerFault(f"number {number}", f"/rows/{number}", "bad-row", detail)])


def _numbers(values: Sequence[str]) -> Columns:
    try:
        if "_" not in "".join(values):
            return np.array(values, np.float64)
    except ValueError:
        pass
    return np.array([_number(one) for one in values], np.float64)


def _number(value: str) -> float:
    try:
        return read_number(value)
    except ValueError:
        return float("nan")


def _geojson(data: bytes, asked: Any) -> Opened:
    collection = read_collection(data)
    first = collection.members[0]
    properties = first.get("properties") if isinstance(first, dict) else None
    available = list(properties) if isinstance(properties, dict) else []
    fields = match_fields(available, asked)
    opened = Opened(_member_rows(collection.members, fields))
    if collection.crs is not None:
        from services.geofence.layers.formats.crs import crs_of_urn, projection_of

        crs = crs_of_urn(collection.crs)
        if crs is None:
            raise unsupported_crs()
        way = projection_of(crs)
        opened.crs, opened.to_degrees = way.name, way.to_degrees
    return opened


def _member_rows(members: Sequence[object], fields: dict[str, Parts]) -> Iterator[Rows]:
    for at in range(0, len(members), BATCH):
        batch = [one if isinstance(one, dict) else {} for one in members[at : at + BATCH]]
        held = [one.get("properties") for one in batch]
        known = [one if isinstance(one, dict) else {} for one in held]
        parts = {
            part: [_joined([one.get(name) for name in of.names], of.needed) for one in known]
            for part, of in fields.items()
        }
        points = np.array([_point(one.get("geometry")) for one in batch], np.float64)
        yield Rows(parts, points[:, 0], points[:, 1])


def _point(geometry: object) -> tuple[float, float]:
    if isinstance(geometry, dict) and geometry.get("type") == "Point":
        position = geometry.get("coordinates")
        if isinstance(position, list) and len(position) in (2, 3):
            x, y = position[:2]
            if type(x) in (int, float) and type(y) in (int, float):
                return float(x), float(y)
    return float("nan"), float("nan")


def _gdal(job: dict[str, Any], data: bytes) -> Opened:
    from services.geofence.layers.formats.crs import projection_of
    from services.geofence.layers.formats.gdal.features import open_layer
    from services.geofence.layers.formats.gdal.source import read_batches

    name, source = open_layer(job["format"], data, layer=job["layer"], points=True)
    fields = match_fields(source.fields, job["fields"])
    names = list(dict.fromkeys(name for part in fields.values() for name in part.names))
    way = projection_of(source.crs)

    def rows() -> Iterator[Rows]:
        for batch in read_batches(source, fields=names, most=MOST_ROWS, size=4 * BATCH):
            yield from _batch_rows(batch.geometries, batch.values, fields)

    return Opened(rows(), way.name, name, way.to_degrees)


def _batch_rows(
    geometries: Sequence[bytes | None], values: dict[str, list[object]], fields: dict[str, Parts]
) -> Iterator[Rows]:
    for at in range(0, len(geometries), BATCH):
        part = slice(at, at + BATCH)
        shapes = shapely.from_wkb(np.array(geometries[part], object), on_invalid="ignore")
        is_point = shapely.get_type_id(shapes) == 0
        x = np.where(is_point, shapely.get_x(shapes), np.nan)
        y = np.where(is_point, shapely.get_y(shapes), np.nan)
        columns = {name: column[part] for name, column in values.items()}
        parts = {
            name: [_joined(row, of.needed) for row in _rows([columns[one] for one in of.names])]
            or [""] * len(x)
            for name, of in fields.items()
        }
        yield Rows(parts, x, y)


def _rows(columns: Sequence[Sequence[object]]) -> Iterable[tuple[object, ...]]:
    return zip(*columns, strict=True)


def _joined(values: Sequence[object], needed: int | None) -> str:
    """Join the parts of a name; what is missing or no text is left out."""
    words = [str(one).strip() if type(one) in (str, int) else "" for one in values]
    if needed is not None and not words[needed]:
        return ""
    text = " ".join(" ".join(words).split())[:200]
    return text if text.isprintable() else ""
