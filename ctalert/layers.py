"""`ctl layers`: import boundaries, list what there is, say in which feature points lie."""

import argparse
import asyncio
import csv
import math
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TextIO, TypeVar

import numpy as np

from ctalert import provision
from ctalert.adopt import servers
from services.geofence.layers.addresses.import_addresses import import_addresses
from services.geofence.layers.addresses.read_addresses import read_addresses
from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.find_features import find_features
from services.geofence.layers.formats.addresses.fields import Asked
from services.geofence.layers.formats.media import BOUNDARIES, POINTS, Format, format_of, media_of
from services.geofence.layers.formats.read_features import read_features
from services.geofence.layers.import_layer import import_layer
from services.geofence.layers.kinds import ADDRESS_POINT, ANY_KINDS, KINDS, Layer
from services.geofence.layers.list_layers import list_layers
from services.geofence.layers.locate import locate
from shared.db.migrate import upgrade
from shared.db.session import Tx, open_database

T = TypeVar("T")


class CannotDo(Exception):
    """One sentence for whoever typed the command."""


def run(arguments: list[str]) -> int:
    """Do one of import, list and locate; 1 with a sentence where it cannot be done."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.do(options)
    except CannotDo as error:
        print(f"ctl layers: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ctl layers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="import | list | locate")
    bring = commands.add_parser(
        "import", help="bring in GeoJSON, zipped Shapefile, GeoPackage, KML, KMZ; of addresses CSV"
    )
    bring.add_argument("file", type=Path, metavar="FILE")
    bring.add_argument("--kind", required=True, choices=ANY_KINDS)
    bring.add_argument(
        "--code", "--code-field", default="geoid", metavar="FIELD", help="default geoid"
    )
    bring.add_argument(
        "--name", "--name-field", default="name", metavar="FIELD", help="default name"
    )
    bring.add_argument("--layer", metavar="NAME", help="of a file that holds several")
    bring.add_argument(
        "--valid-from", type=date.fromisoformat, metavar="DATE", help="default today: 2026-07-01"
    )
    for part in ("number", "street", "town", "unit", "postal"):
        bring.add_argument(f"--{part}", metavar="FIELDS", help=argparse.SUPPRESS)
    bring.set_defaults(do=_import)
    commands.add_parser("list", help="list versions, newest first").set_defaults(do=_list)
    find = commands.add_parser("locate", help="read id,lon,lat; print id,code,name")
    find.add_argument("--kind", required=True, choices=KINDS)
    find.add_argument("file", type=Path, metavar="FILE.csv", help="- is standard input")
    find.set_defaults(do=_locate)
    return parser


def _import(options: argparse.Namespace) -> int:
    data = _read(options.file)
    points = options.kind == ADDRESS_POINT
    format = format_of(media_of(options.file.name) or "")
    if format is None or format not in (POINTS if points else BOUNDARIES):
        raise CannotDo(f"{options.file} has the ending of no format that is read for this kind")
    with _reporting(options.file):
        take = _import_addresses if points else _import_boundaries
        layer, new = take(options, data, format)
    known = "imported" if new else "the same bytes as before"
    if not layer.current:
        known += f", in force from {layer.valid_from}, and not the version that answers today"
    elif not new:
        known += ", now in force"
    print(f"{layer.kind} version {layer.version}: {layer.features} features, {known}")
    for one in layer.warnings:
        print(f"  {one.code}: {one.detail} {', '.join(one.features)}".rstrip())
    return 0


def _import_boundaries(
    options: argparse.Namespace, data: bytes, format: Format
) -> tuple[Layer, bool]:
    fields = {"code_field": options.code, "name_field": options.name}
    file = read_features(data, format, kind=options.kind, layer=options.layer, **fields)
    return _in_database(
        lambda tx: import_layer(
            tx, data, file.features, kind=options.kind, valid_from=options.valid_from,
            file=file, **fields,
        )
    )  # fmt: skip


def _import_addresses(
    options: argparse.Namespace, data: bytes, format: Format
) -> tuple[Layer, bool]:
    fields = Asked(
        number=options.number, street=options.street, town=options.town, unit=options.unit,
        postal=options.postal,
    )  # fmt: skip
    with read_addresses(data, format, fields=fields, layer=options.layer) as file:
        return _in_database(
            lambda tx: import_addresses(
                tx, data, file, fields=fields, valid_from=options.valid_from
            )
        )


@contextmanager
def _reporting(file: Path) -> Iterator[None]:
    try:
        yield
    except LayerInvalid as error:
        for fault in error.faults:
            print(
                f"{fault.feature}  {fault.pointer}  {fault.code}: {fault.detail}", file=sys.stderr
            )
        raise CannotDo(f"{file} is no usable layer (faults: {len(error.faults)})") from None


def _list(options: argparse.Namespace) -> int:
    for layer in _in_database(list_layers):
        print(
            f"{layer.kind:<16} version {layer.version:<4} {layer.features:>7} features  "
            f"from {layer.valid_from}  {layer.source_format} {layer.source_crs}  "
            f"{layer.digest[:12]}{'  in force' if layer.current else ''}"
        )
    return 0


def _locate(options: argparse.Namespace) -> int:
    ids, lon, lat = _read_points(options.file)
    found = _in_database(lambda tx: find_features(tx, options.kind))
    if found is None:
        raise CannotDo(f"no layer of kind {options.kind} is imported")
    answers = locate(found[1], np.array(lon, np.float64), np.array(lat, np.float64))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["id", "code", "name"])
    out.writerows(
        (one, feature.code, feature.name) if feature else (one, "", "")
        for one, feature in zip(ids, answers, strict=True)
    )
    return 0


def _read_points(file: Path) -> tuple[list[str], list[float], list[float]]:
    try:
        if str(file) == "-":
            return _points(sys.stdin)
        with file.open(encoding="utf-8-sig", newline="") as rows:
            return _points(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CannotDo(f"{file} cannot be read: {error}") from None


def _points(lines: TextIO) -> tuple[list[str], list[float], list[float]]:
    rows = csv.DictReader(lines)
    if not {"id", "lon", "lat"} <= set(rows.fieldnames or ()):
        raise CannotDo("the first line must name the columns id, lon and lat")
    ids: list[str] = []
    lon: list[float] = []
    lat: list[float] = []
    for row, x, y in _numbers(rows):
        ids.append(row["id"])
        lon.append(x)
        lat.append(y)
    return ids, lon, lat


def _numbers(rows: "csv.DictReader[str]") -> Iterator[tuple[dict[str, str], float, float]]:
    for row in rows:
        try:
            x, y = float(row["lon"]), float(row["lat"])
        except (TypeError, ValueError):
            x = y = math.nan
        if not (-180 <= x <= 180 and -90 <= y <= 90):
            raise CannotDo(f"line {rows.line_num}: lon and lat must be degrees")
        yield row, x, y


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CannotDo(f"{file} cannot be read: {error.strerror}") from None


def _in_database(work: Callable[[Tx], Awaitable[T]]) -> T:
    """Run a verb in one transaction on the geofence's database, migrated first where we may."""
    given = os.environ.get("CTALERT_GEOFENCE_DATABASE_URL")
    with servers(database=not given, kafka=False) as addresses:
        environment = dict(os.environ) if given else provision.provide(addresses)
        owner_url = environment.get("CTALERT_GEOFENCE_OWNER_DATABASE_URL")
        if owner_url:
            upgrade("geofence", owner_url)
        return asyncio.run(_work(environment["CTALERT_GEOFENCE_DATABASE_URL"], work))


async def _work(url: str, work: Callable[[Tx], Awaitable[T]]) -> T:
    database = open_database(url, application_name="ctl:layers", pool_size=1)
    try:
        async with database.transaction() as tx:
            return await work(tx)
    finally:
        await database.close()
