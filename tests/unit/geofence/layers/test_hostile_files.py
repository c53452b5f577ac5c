"""Files that are traps, halves or something else: refused as a whole, and said why."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable

import pytest

from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats import archive as archives
from services.geofence.layers.formats.archive import open_archive
from services.geofence.layers.formats.collect import LONGEST_RING, Collector
from services.geofence.layers.formats.media import Format
from services.geofence.layers.formats.sandbox.boundaries import read_areas, read_layer
from tests.unit.geofence.layers.files import (
    BOW_TIE,
    EAST,
    SQUARE,
    archive,
    changed,
    geojson,
    gpkg,
    kml,
    placemark,
    shapefile,
    wkb_of,
)

GOOD = wkb_of(SQUARE[::-1])
VRT = b"""<OGRVRTDataSource><OGRVRTLayer name="passwd"><SrcDataSource>CSV:/etc/passwd
</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"""
LINK = "<NetworkLink><Link><href>http://127.0.0.1/a.kml</href></Link></NetworkLink>"
ENTITY = '<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
LAUGHS = '<!DOCTYPE kml [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
FLIPPED = SQUARE[::-1]
CURVE = struct.pack("<BIIBII", 1, 10, 1, 1, 8, 5) + b"".join(
    struct.pack("<dd", *position) for position in SQUARE
)


def refusal(data: bytes, format: Format, *, layer: str | None = None) -> tuple[str, int]:
    """Return the code and the status with which a file is refused."""
    job = {"format": format, "kind": "zip", "layer": layer, "code_field": "geoid"}
    with pytest.raises(LayerInvalid) as invalid:
        list(read_layer({**job, "name_field": "name"}, data))
    (fault,) = invalid.value.faults
    return fault.code, invalid.value.status


def member(name: str, **changes: object) -> bytes:
    """Return an archive of one member that is made oddly."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        info = zipfile.ZipInfo("plain")
        info.filename = name
        for attribute, value in changes.items():
            setattr(info, attribute, value)
        opened.writestr(info, b"x")
    return made.getvalue()


def twice() -> bytes:
    """Return an archive with two members of one name."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        opened.writestr("a.shp", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("a.shp", b"2")
    return made.getvalue()


def locked() -> bytes:
    """Return an archive whose member says that it is encrypted."""
    data = bytearray(archive({"a.shp": b"x"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def claiming(size: int) -> bytes:
    """Return an archive whose one small member says that it unpacks to a size."""
    data = bytearray(archive({"a.shp": b"x" * 100}))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", size)
    return bytes(data)


ARCHIVES: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "no archive": (lambda: b"PK\x03\x04 and nothing", "malformed-zip", 400),
    "cut off": (lambda: shapefile(GOOD)[:-400], "malformed-zip", 400),
    "up": (lambda: member("../../etc/cron.d/x.shp"), "unsafe-archive", 422),
    "absolute": (lambda: member("/etc/x.shp"), "unsafe-archive", 422),
    "backslash": (lambda: member("a\\..\\x.shp"), "unsafe-archive", 422),
    "drive": (lambda: member("c:x.shp"), "unsafe-archive", 422),
    "link": (
        lambda: member("x.shp", external_attr=(stat.S_IFLNK | 0o777) << 16), "unsafe-archive", 422,
    ),
    "nested": (lambda: archive({"a.zip": archive({"a.shp": b""})}), "unsafe-archive", 422),
    "twice": (twice, "unsafe-archive", 422),
    "locked": (locked, "unsafe-archive", 422),
    "unusual": (lambda: archive({"a.shp": b"x"}, zipfile.ZIP_LZMA), "unsafe-archive", 422),
    "many": (lambda: archive({f"{n}.txt": b"" for n in range(201)}), "too-large", 413),
    "bomb": (lambda: archive({"a.shp": b"\0" * 30_000_000}), "too-large", 413),
    "claim": (lambda: claiming(archives.LARGEST_TOTAL + 1), "too-large", 413),
    "nothing": (lambda: archive({"read me.txt": b"x"}), "empty-layer", 422),
    "script": (lambda: archive({"a.shp": VRT, "a.shx": VRT, "a.dbf": b"", "a.prj": b"x"}),
               "malformed-file", 400),
    "geodatabase": (lambda: archive({"a.gdb/a00000001.gdbtable": b"x"}), "empty-layer", 422),
    "no index": (lambda: shapefile(GOOD, without=[".shx"]), "incomplete-file", 422),
    "no table": (lambda: shapefile(GOOD, without=[".dbf"]), "incomplete-file", 422),
    "nested in table": (lambda: archive({"a.tar.gz": b""}), "unsafe-archive", 422),
}  # fmt: skip


@pytest.mark.shows("G1")
@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_a_trap_or_a_half_is_refused(name: str) -> None:
    make, code, status = ARCHIVES[name]
    assert refusal(make(), "shapefile") == (code, status)


def test_a_member_that_is_not_as_long_as_it_says_is_refused() -> None:
    opened = open_archive(claiming(10))
    with pytest.raises(LayerInvalid):
        opened.read("a.shp")


def test_one_of_two_shapefiles_has_to_be_named() -> None:
    parts: dict[str, bytes] = {}
    for name in ("one", "two"):
        with zipfile.ZipFile(io.BytesIO(shapefile(GOOD))) as opened:
            parts |= {
                f"{name}/{name}{one[len('towns') :].upper()}": opened.read(one)
                for one in opened.namelist()
            }
    both = archive({**parts, "__MACOSX/two/._two.shp": b"x"})
    assert refusal(both, "shapefile") == ("layer-required", 422)
    assert refusal(both, "shapefile", layer="three") == ("unknown-inner-layer", 422)
    job = {"format": "shapefile", "kind": "zip", "layer": "two", "code_field": "geoid"}
    assert len(list(read_layer({**job, "name_field": "name"}, both))) == 2


def two_tables() -> bytes:
    """Return a GeoPackage whose polygons are in two tables, one of them a copy."""
    return changed(
        gpkg(wkb_of(SQUARE), layer="one"),
        'CREATE TABLE "two" AS SELECT * FROM "one"',
        "INSERT INTO gpkg_contents SELECT 'two', data_type, 'two', description, last_change,"
        " min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents",
        "INSERT INTO gpkg_geometry_columns SELECT 'two', column_name, geometry_type_name, srs_id,"
        " z, m FROM gpkg_geometry_columns",
    )


def view() -> bytes:
    """Return a GeoPackage whose only layer is a view that never ends."""
    return changed(
        gpkg(wkb_of(SQUARE), layer="one"),
        'ALTER TABLE "one" RENAME TO "real"',
        'CREATE VIEW "one" AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)'
        ' SELECT "real".* FROM "real", n',
        "UPDATE gpkg_contents SET table_name = 'one'",
        "UPDATE gpkg_geometry_columns SET table_name = 'one'",
    )


def in_wal_mode() -> bytes:
    """Return a GeoPackage that says its newest content may lie beside it."""
    data = bytearray(gpkg(wkb_of(SQUARE)))
    data[18] = data[19] = 2
    return bytes(data)


PACKAGES: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "nothing": (lambda: b"", "empty-body", 400),
    "text": (lambda: b"POLYGON((0 0,1 1,1 0,0 0))", "malformed-file", 400),
    "script": (lambda: VRT, "malformed-file", 400),
    "other database": (
        lambda: changed(gpkg(GOOD), "DROP TABLE gpkg_contents"), "malformed-file", 400,
    ),
    "contents is a view": (
        lambda: changed(
            gpkg(GOOD), "ALTER TABLE gpkg_contents RENAME TO x",
            "CREATE VIEW gpkg_contents AS SELECT * FROM x",
        ), "malformed-file", 400,
    ),
    "cut off": (lambda: gpkg(GOOD)[:9_000], "malformed-file", 400),
    "wal": (in_wal_mode, "incomplete-file", 422),
    "view": (view, "empty-layer", 422),
    "two": (two_tables, "layer-required", 422),
    "long name": (
        lambda: gpkg(GOOD, layer="x" * 300), "malformed-file", 400,
    ),
    "curves": (lambda: gpkg(wkb_of(SQUARE), CURVE, geometry_type="Unknown"),
               "unsupported-geometry", 422),
    "points": (lambda: gpkg(struct.pack("<BIdd", 1, 1, -72.7, 41.6), geometry_type="Point"),
               "empty-layer", 422),
}  # fmt: skip


@pytest.mark.shows("G1")
@pytest.mark.parametrize("name", PACKAGES)
def test_a_geopackage_that_is_a_trap_or_a_half_is_refused(name: str) -> None:
    make, code, status = PACKAGES[name]
    assert refusal(make(), "gpkg") == (code, status)


DOCUMENTS: dict[str, tuple[bytes, str, int]] = {
    "nothing": (b" ", "empty-body", 400),
    "open": (kml(placemark("1", SQUARE))[:-9], "malformed-xml", 400),
    "doctype": (kml(placemark("&x;", SQUARE), before=ENTITY), "dtd-forbidden", 400),
    "wide doctype": (
        kml(before=ENTITY).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        "dtd-forbidden", 400,
    ),
    "laughs": (kml(placemark("&c;", SQUARE), before=LAUGHS), "dtd-forbidden", 400),
    "deep": (kml("<a>" * 5_000 + "</a>" * 5_000), "malformed-xml", 400),
    "other": (b"<gpx><trk/></gpx>", "malformed-file", 400),
    "elsewhere": (kml(placemark("1", SQUARE), after=LINK), "incomplete-file", 422),
    "no polygon": (
        kml(placemark("1", inside="<Point><coordinates>-72.7,41.6</coordinates></Point>")),
        "empty-layer", 422,
    ),
    "two folders": (
        kml(placemark("1", SQUARE),
            after=f"<Folder><name>B</name>{placemark('2', EAST)}</Folder>"),
        "layer-required", 422,
    ),
    "no outer ring": (
        kml(placemark("1", inside="<Polygon><innerBoundaryIs><LinearRing><coordinates>"
                      "-72.8,41.5 -72.6,41.5 -72.6,41.7 -72.8,41.5</coordinates></LinearRing>"
                      "</innerBoundaryIs></Polygon>")),
        "empty-geometry", 422,
    ),
    "a point beside": (
        kml(placemark("1", inside="<MultiGeometry><Point/><Polygon/></MultiGeometry>")),
        "unsupported-geometry", 422,
    ),
    "words": (
        kml(placemark("1", [[-72.8, 41.5], ["x", 41.5], *SQUARE[2:]])), "not-a-number", 422,  # type: ignore[list-item]
    ),
    "not a number": (
        kml(placemark("1", [[-72.8, 41.5], ["nan", "1_0"], *SQUARE[2:]])), "not-a-number", 422,  # type: ignore[list-item]
    ),
}  # fmt: skip


@pytest.mark.shows("G1", "G2")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_kml_document_that_is_a_trap_or_a_half_is_refused(name: str) -> None:
    data, code, status = DOCUMENTS[name]
    assert refusal(data, "kml") == (code, status)


@pytest.mark.parametrize(
    "members",
    [{"a.kml": kml(), "b.kml": kml()}, {"folder/a.kml": kml()}, {}],
    ids=["two", "below", "none"],
)
def test_an_archive_of_other_than_one_document_is_refused(members: dict[str, bytes]) -> None:
    assert refusal(archive(members), "kmz") == ("malformed-file", 400)


@pytest.mark.shows("S31", "bad:A07")
def test_a_file_that_draws_an_area_keeps_the_caps_of_a_drawing() -> None:
    def areas(data: bytes) -> None:
        list(read_areas({"format": "geojson", "layer": None}, data))

    ring = [[-72.7 + n * 1e-6, 41.6] for n in range(5_000)]
    for data in (
        geojson(*[SQUARE] * 101),
        geojson([*ring, [-72.7, 41.7], ring[0]]),
        geojson(*[[*ring[:4_000], [-72.7, 41.7], ring[0]]] * 3),
    ):
        with pytest.raises(LayerInvalid) as invalid:
            areas(data)
        assert (invalid.value.status, invalid.value.faults[0].code) == (413, "too-complex")
    with pytest.raises(LayerInvalid) as invalid:
        areas(geojson(SQUARE, BOW_TIE))
    assert [one.pointer for one in invalid.value.faults] == ["/features/1/geometry/coordinates/0/0"]
    areas(geojson(*[SQUARE] * 100))


@pytest.mark.shows("S31")
def test_a_ring_too_long_is_refused_before_anything_is_made_of_it() -> None:
    ring = [[-72.7, 41.6]] * (LONGEST_RING + 1)
    member = {
        "type": "Feature",
        "properties": {"geoid": "1", "name": "1"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    with pytest.raises(LayerInvalid) as refused:
        Collector(code_field="geoid", name_field="name").read([member])
    assert (refused.value.faults[0].code, refused.value.status) == ("too-complex", 413)
