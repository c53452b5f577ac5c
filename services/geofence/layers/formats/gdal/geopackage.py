"""Looks at a GeoPackage as the SQLite file it is, before anything is read from it."""

import sqlite3
from dataclasses import dataclass

from services.geofence.layers.faults import LayerFault, LayerInvalid, whole_file
from services.geofence.layers.formats.choice import choose

_AREAS = {"GEOMETRY", "POLYGON", "MULTIPOLYGON", "CURVEPOLYGON", "MULTISURFACE", "SURFACE"}
_POINTS = {"GEOMETRY", "POINT"}
_HEADER = b"SQLite format 3\x00"
_CURVED = range(8, 15)
# Header and envelope of a geometry, then byte order and type of its WKB.
_ENVELOPES = (0, 32, 48, 48, 64)
_LONGEST_HEADER = 8 + 64 + 5


@dataclass(frozen=True, slots=True)
class Table:
    """One layer of a GeoPackage: its name, geometry column and reference system's number."""

    name: str
    column: str
    geometry_type: str
    srs_id: int


def choose_table(data: bytes, *, layer: str | None, points: bool = False) -> Table:
    """Return the table of polygons, or of points, that is meant.

    Raises:
        LayerInvalid: no GeoPackage, not all of it, no such table, or none but a view.
    """
    if not data.startswith(_HEADER):
        raise whole_file("malformed-file", "The file is not a GeoPackage.")
    if 2 in data[18:20]:
        raise whole_file(
            "incomplete-file", "Its newest content may lie in a -wal file: close or export it."
        )
    wanted = _POINTS if points else _AREAS
    try:
        opened = _open(data)
        try:
            found = [table for table in _tables(opened) if table.geometry_type in wanted]
            name = choose([table.name for table in found], layer)
            table = next(one for one in found if one.name == name)
            _refuse_curves(opened, table)
        finally:
            opened.close()
    except (sqlite3.Error, UnicodeDecodeError):
        raise whole_file("malformed-file", "The file is not a whole GeoPackage.") from None
    if table.srs_id in (-1, 0):
        raise whole_file(
            "crs-missing", "The layer does not say its reference system, and none is assumed."
        )
    return table


def _open(data: bytes) -> sqlite3.Connection:
    opened = sqlite3.connect(":memory:")
    opened.deserialize(data)
    # Nothing that the file's own schema says may run.
    opened.execute("PRAGMA trusted_schema = OFF")
    opened.execute("PRAGMA query_only = ON")
    return opened


def _tables(opened: sqlite3.Connection) -> list[Table]:
    # A view or a virtual table runs what somebody else wrote.
    plain = {
        name
        for name, sql in opened.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
        if sql and not sql.upper().lstrip().startswith("CREATE VIRTUAL")
    }
    if not {"gpkg_contents", "gpkg_geometry_columns"} <= plain:
        raise whole_file("malformed-file", "The file is not a GeoPackage.")
    rows = opened.execute(
        """
        SELECT table_name, column_name, upper(geometry_type_name), srs_id
          FROM gpkg_geometry_columns
         WHERE table_name IN (SELECT table_name FROM gpkg_contents WHERE data_type = 'features')
        """
    )
    return [Table(*row) for row in rows if row[0] in plain]


def _refuse_curves(opened: sqlite3.Connection, table: Table) -> None:
    """Refuse arcs, which would be turned into straight pieces without a word."""
    column, name = (f'"{one.replace(chr(34), chr(34) * 2)}"' for one in (table.column, table.name))
    rows = opened.execute(f"SELECT substr({column}, 1, {_LONGEST_HEADER}) FROM {name}")  # noqa: S608
    for number, (head,) in enumerate(rows):
        if _is_curved(head):
            at = f"/features/{number}/geometry/type"
            fault = LayerFault(
                f"number {number}", at, "unsupported-geometry", "Arcs and curves are not read."
            )
            raise LayerInvalid([fault])


def _is_curved(head: object) -> bool:
    if not isinstance(head, bytes) or len(head) < 8:
        return False
    start = 8 + _ENVELOPES[min(head[3] >> 1 & 7, 4)]
    if len(head) < start + 5:
        return False
    order = "little" if head[start] == 1 else "big"
    code = int.from_bytes(head[start + 1 : start + 5], order)  # type: ignore[arg-type]
    return (code & 0x0FFF_FFFF) % 1000 in _CURVED
