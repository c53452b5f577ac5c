"""Bombs in files of layers: archives of everything, markup that grows, headers that lie."""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks.hostile.bomb import Bomb
from benchmarks.hostile.rings import star

LIST, UPLOAD = "/v1/areas/addresses", "/v1/areas/upload"
LAYER, ADDRESSES = "/v1/layers/zip", "/v1/layers/address_point"
ZIP, GPKG = "application/zip", "application/geopackage+sqlite3"
KML = "application/vnd.google-earth.kml+xml"
KMZ = "application/vnd.google-earth.kmz"
REFUSED = frozenset({400, 413, 422})
# A list is answered row by row, whatever is in it.
ANSWERED = REFUSED | {200}
MILLION = 1_000_000


def file_bombs() -> Iterator[Bomb]:
    """Yield files posted as layers by somebody who may."""
    yield _file("an archive of a gigabyte of zeros", ZIP, lambda: _zip({"a.shp": bytes(10**9)}))
    yield _file("an archive that says it is small", ZIP, _lying)
    yield _file("an archive of 60,000 files", ZIP, lambda: _zip(dict.fromkeys(_names(), b"")))
    yield _file("an archive whose files are all the same bytes", ZIP, _overlapping)
    yield _file("an archive in an archive", ZIP, lambda: _zip({"a.zip": _zip({"b": bytes(10**8)})}))
    yield _file("an archive that leads out of itself", ZIP, lambda: _zip({"../../etc/x.shp": b"1"}))
    yield _file("a shapefile that promises two billion shapes", ZIP, _shapefile)
    yield _file("half an archive", ZIP, lambda: _zip({"a.shp": bytes(range(256)) * 400})[:400])
    yield _file("a packed gigabyte of markup", KMZ, lambda: _zip({"doc.kml": b" " * 10**9}))
    yield _file("a billion laughs", KML, _laughs)
    yield _file("a file of the machine", KML, _outside)
    yield _file("markup 100,000 deep", KML, lambda: b"<Folder>" * 100_000)
    yield _file("a million attributes", KML, _attributes)
    yield _file("a database of nothing", GPKG, lambda: b"SQLite format 3\0" + bytes(5 * MILLION))
    yield _file("a database that is none", GPKG, lambda: b"\xff" * 5 * MILLION)
    yield _file("features 100,000 deep", "application/geo+json", _deep)
    yield _file(
        "a star of a million vertices", "application/geo+json", lambda: _feature(star(MILLION + 1))
    )
    yield _file(
        "a star of 100,001 vertices", "application/geo+json", lambda: _feature(star(100_001))
    )
    yield _file("a NaN after a million vertices", "application/geo+json", _not_finite)
    yield _file("a table of one line", "text/csv", lambda: b"x" * 20 * MILLION, path=ADDRESSES)
    yield _file(
        "a table of a million columns", "text/csv", lambda: b"a," * MILLION + b"b\n", path=ADDRESSES
    )
    yield _file(
        "a quotation that never ends",
        "text/csv",
        lambda: b'number,street,town,lon,lat\n1,"' + b"x\n" * 5 * MILLION,
        path=ADDRESSES,
    )
    yield _file("a body of 70 MB", ZIP, lambda: bytes(70 * MILLION))


def upload_bombs() -> Iterator[Bomb]:
    """Yield the same files given as areas, and lists of addresses that take long to understand."""
    for bomb in file_bombs():
        if bomb.path == LAYER:
            name = bomb.name.replace("layer", "upload", 1)
            yield replace(bomb, name=name, path=UPLOAD, role="manager")
    for name, rows in (
        ("5,000 points", ",-72.7,41.6\n" * 5_000),
        ("2,400 addresses of blanks", f'"a,{" " * 190}x",,\n' * 2_400),
        ("2,400 addresses of numbers", f"{'12-' * 60}1 x,,\n" * 2_400),
        ("2,400 addresses of apartments", f'"{"apt " * 45}",,\n' * 2_400),
        ("250,000 empty rows", "\n" * 250_000),
        ("a quotation that never ends", '"' + "x\n" * 200_000),
        ("one cell of 500 kB", "x" * 500_000),
    ):
        body = f"address,lon,lat\n{rows}".encode()
        yield Bomb(f"list: {name}", ANSWERED, lambda body=body: body, path=LIST, media="text/csv")  # type: ignore[misc]


def _file(name: str, media: str, body: Callable[[], bytes], path: str = LAYER) -> Bomb:
    return Bomb(f"layer: {name}", REFUSED, body, path=path, media=media, role="admin")


def _zip(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue()


def _names() -> Iterator[str]:
    return (f"{number}.shp" for number in range(60_000))


def _lying() -> bytes:
    """Return an archive of 300 MB that says in both headers that it unpacks to 900 kB."""
    size = 300 * MILLION
    packed = _zip({"a.shp": bytes(size)})
    return packed.replace(struct.pack("<I", size), struct.pack("<I", 900_000))


def _overlapping() -> bytes:
    """Return an archive whose table of contents names one member 150 times."""
    packed = _zip({"a.shp": bytes(900_000)})
    end = packed.rindex(b"PK\x05\x06")
    entry = packed[packed.index(b"PK\x01\x02") : end]
    many = 150
    entries = b"".join(
        entry[:46] + f"{number:05d}"[:5].encode() + entry[51:] for number in range(many)
    )
    tail = struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, many, many, len(entries), end - len(entry), 0
    )
    return packed[: end - len(entry)] + entries + tail


def _shapefile() -> bytes:
    head = struct.pack(">7i", 9994, 0, 0, 0, 0, 0, 2**30) + struct.pack("<2i", 1000, 5)
    box = struct.pack("<8d", -73, 41, -72, 42, 0, 0, 0, 0)
    record = struct.pack(">2i", 1, 2**29) + struct.pack(
        "<i4d2i", 5, -73, 41, -72, 42, 2**30, 2**31 - 1
    )
    projection = b'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137,298.25]]]'
    table = struct.pack("<4BIHH20x", 3, 125, 1, 1, 2**31 - 1, 65, 12) + bytes(33) + b"\r"
    shapes = head + box + record
    return _zip({"a.shp": shapes, "a.shx": shapes, "a.dbf": table, "a.prj": projection})


def _laughs() -> bytes:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE kml [<!ENTITY l0 "ha">{laughs}]><kml><name>&l11;</name></kml>'.encode()


def _outside() -> bytes:
    return b'<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///dev/zero">]><kml><name>&x;</name></kml>'


def _attributes() -> bytes:
    return b"<kml " + b" ".join(b'a%d="1"' % number for number in range(MILLION)) + b"/>"


def _deep() -> bytes:
    deep = b"[" * 100_000 + b"]" * 100_000
    return _feature("?").replace(b'"?"', deep)


def _not_finite() -> bytes:
    return _feature([*star(MILLION + 1), "?"]).replace(b'"?"', b"[-72.7, NaN]")


def _feature(ring: object) -> bytes:
    member = {
        "type": "Feature",
        "properties": {"geoid": "06001", "name": "A"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    return json.dumps({"type": "FeatureCollection", "features": [member]}).encode()
