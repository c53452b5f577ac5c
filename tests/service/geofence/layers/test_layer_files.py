"""Files of every format through the door and the process apart; versions by date; what crashes."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import httpx2
import pytest
import shapely

from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.find_features import find_features
from services.geofence.layers.formats.gdal.warm_up import KEPT
from services.geofence.layers.formats.read_shapes import read_shapes
from services.geofence.layers.formats.sandbox.lock import environment
from services.geofence.layers.formats.sandbox.run_apart import Bounds, run_apart
from services.geofence.layers.import_layer import import_layer
from services.geofence.layers.kinds import Feature
from services.geofence.layers.list_layers import list_layers
from shared.db.session import execute, fetch_value
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.desk import Desk, open_desk, settings_for
from tests.service.geofence.world import World
from tests.unit.geofence.layers.files import (
    BOW_TIE,
    EAST,
    SQUARE,
    archive,
    geojson,
    gpkg,
    kml,
    placemark,
    projected,
    shapefile,
    wkb_of,
)
from tests.unit.geofence.layers.strict_files import NOT_STRICT

ROOT = Path(__file__).parents[4]
FEET = "EPSG:2234"
ZIP = "application/zip"
GPKG = "application/geopackage+sqlite3"
KML = "application/vnd.google-earth.kml+xml"
KMZ = "application/vnd.google-earth.kmz"
GEOJSON = "application/geo+json"
GOOD = shapefile(wkb_of(projected(SQUARE[::-1], FEET)), crs=FEET)
JOB = {"purpose": "areas", "format": "geojson", "layer": None}


@pytest.fixture
async def desk(world: World, keyrings: KeyRings) -> AsyncIterator[Desk]:
    """A replica whose database and bus are the world's."""
    url = world.database.engine.url.render_as_string(hide_password=False)
    database = ServiceDatabase("geofence", "", url, "", "")
    async with open_desk(settings_for(world.bus, database, keyrings), keyrings) as desk:
        yield desk


async def post(
    desk: Desk, data: bytes, media: str, kind: str = "zip", **query: str
) -> httpx2.Response:
    headers = desk.staff("admin") | {"Content-Type": media}
    return await desk.client.post(f"/v1/layers/{kind}", content=data, headers=headers, params=query)


@pytest.mark.shows("G1", "G6")
@pytest.mark.parametrize(
    ("media", "data", "crs", "layer"),
    [
        (ZIP, GOOD, FEET, "towns"),
        (GPKG, gpkg(wkb_of(projected(SQUARE, FEET)), crs=FEET), FEET, "towns"),
        (KML, kml(placemark("1", SQUARE)), "OGC:CRS84", "Towns"),
        (KMZ, archive({"doc.kml": kml(placemark("1", SQUARE))}), "OGC:CRS84", "Towns"),
        (GEOJSON, geojson(projected(SQUARE, FEET), crs=FEET), FEET, ""),
    ],
    ids=["shapefile", "gpkg", "kml", "kmz", "geojson"],
)
async def test_every_format_is_imported_and_says_what_it_was(
    desk: Desk, media: str, data: bytes, crs: str, layer: str
) -> None:
    made = await post(desk, data, media)
    assert made.status_code == 201, made.text
    said = made.json()
    assert (said["source_crs"], said["source_layer"]) == (crs, layer)
    assert (said["features"], said["current"], said["warnings"]) == (1, True, [])
    again = await post(desk, data, media)
    assert (again.status_code, again.json()["version"]) == (200, 1)
    (found,) = (await desk.get("/v1/layers/zip/features")).json()["features"]
    outline = shapely.geometry.shape(found["geometry"])
    assert shapely.hausdorff_distance(outline, shapely.Polygon(SQUARE)) < 1e-6


@pytest.mark.shows("G1", "G2", "S44")
async def test_a_bad_file_is_a_problem_and_nothing_is_stored(desk: Desk) -> None:
    bow_tie = await post(desk, gpkg(wkb_of(SQUARE), wkb_of(BOW_TIE)), GPKG)
    assert bow_tie.status_code == 422
    assert bow_tie.headers["content-type"] == "application/problem+json"
    assert bow_tie.json()["errors"][0]["pointer"].startswith("/features/1/geometry/coordinates/0/")
    without = await post(desk, shapefile(wkb_of(SQUARE[::-1]), without=[".prj"]), ZIP)
    assert [one["code"] for one in without.json()["errors"]] == ["crs-missing"]
    broken = await post(desk, GOOD[:300], ZIP)
    assert (broken.status_code, broken.json()["errors"][0]["code"]) == (400, "malformed-zip")
    bomb = await post(desk, archive({"a.shp": b"\0" * 20_000_000}), ZIP)
    assert (bomb.status_code, bomb.json()["type"]) == (413, "urn:ct-alert:problem:too-large")
    for media, kind in (("text/csv", "town"), (KML, "address_point"), ("image/tiff", "town")):
        assert (await post(desk, b"x", media, kind)).status_code == 415
    assert (await desk.get("/v1/layers")).json() == []


@pytest.mark.shows("G1", "bad:J02", "bad:J06", "bad:J07")
async def test_geojson_of_two_meanings_is_refused_and_nothing_is_stored(desk: Desk) -> None:
    for kind in ("zip", "address_point"):
        for name in ("cut off", "two areas", "no number"):
            _, data, status, code, pointer = NOT_STRICT[name]
            answer = await post(desk, data, GEOJSON, kind)
            (fault,) = answer.json()["errors"]
            said = answer.status_code, fault["code"], fault["pointer"]
            assert said == (status, code, pointer), (kind, name)
    assert (await desk.get("/v1/layers")).json() == []


@pytest.mark.shows("G6")
async def test_a_version_is_asked_for_by_its_number(desk: Desk) -> None:
    await post(desk, geojson(SQUARE), GEOJSON)
    await post(desk, geojson(EAST), GEOJSON)
    for version, lon in ((1, -72.7), (2, -72.5)):
        found = await desk.get("/v1/layers/zip/features", version=version)
        assert found.json()["layer_version"] == version
        where = await desk.get("/v1/layers/zip/locate", lon=lon, lat=41.6, version=version)
        assert where.json()["code"] == "1"
        (listed,) = (await desk.get("/v1/layers/zip", version=version)).json()
        assert (listed["version"], listed["current"]) == (version, version == 2)
    assert len((await desk.get("/v1/layers/zip")).json()) == 2
    assert (await desk.get("/v1/layers/psap")).json() == []
    for path in ("/v1/layers/zip", "/v1/layers/zip/features"):
        assert (await desk.get(path, version=3)).status_code == 404
        assert (await desk.get(path, version=0)).status_code == 422
    assert (await desk.get("/v1/layers/address_point/features")).status_code == 404
    bad = await post(desk, geojson(SQUARE), GEOJSON, valid_from="soon")
    assert bad.status_code == 422
    for field in ("code", "name", "layer", "street"):
        bad = await post(desk, geojson(SQUARE), GEOJSON, **{field: "\0"})
        assert bad.status_code == 422
    assert (await desk.get("/v1/layers/zip/features", code="\0")).status_code == 422


async def imported(world: World, size: float, valid_from: date | None = None) -> int:
    """Import a layer of one square of a size; return its version."""
    feature = Feature("1", "One", shapely.box(-72.8, 41.5, -72.8 + size, 41.6))
    async with world.database.transaction() as tx:
        layer, _ = await import_layer(
            tx, f"{size}".encode(), [feature], kind="psap", valid_from=valid_from
        )
    return layer.version


async def in_force(world: World) -> list[int]:
    async with world.database.transaction() as tx:
        current = [one.version for one in await list_layers(tx, kind="psap") if one.current]
        found = await find_features(tx, "psap")
    assert [found[0].version] if found else [] == current
    return current


@pytest.mark.shows("G6")
async def test_a_version_of_today_takes_over_from_the_one_of_this_morning(world: World) -> None:
    assert await imported(world, 0.1) == 1
    async with world.database.transaction() as tx:
        today = await fetch_value(tx, "SELECT (now() AT TIME ZONE 'America/New_York')::date")
    assert await imported(world, 0.2, today) == 2
    assert await in_force(world) == [2]


@pytest.mark.shows("G6")
async def test_a_version_is_in_force_from_its_date_on(world: World) -> None:
    today = date.today()  # noqa: DTZ011  two days more or less do not matter
    later = today + timedelta(days=30)
    assert await imported(world, 0.1, later) == 1
    assert await in_force(world) == []
    assert await imported(world, 0.2) == 2
    # Boundaries of long ago do not take the place of today's, nor when handed in again.
    for _ in range(2):
        assert await imported(world, 0.3, today - timedelta(days=700)) == 3
        assert await in_force(world) == [2]
    # The same bytes from another date are another version; without a date, the one there is.
    assert await imported(world, 0.1, later) == 1
    assert await imported(world, 0.1) == 4
    assert await imported(world, 0.2) == 2
    assert await in_force(world) == [2]
    # When the day comes the first takes over, though others were imported after it.
    async with world.database.transaction() as tx:
        for number, days in ((4, 60), (3, 60), (2, 60), (1, 31)):
            await execute(
                tx,
                "UPDATE geofence_layer SET activated_at = activated_at - interval '60 days',"
                " valid_from = valid_from - CAST(:days AS integer) WHERE version = :number",
                number=number,
                days=days,
            )
    assert await in_force(world) == [1]
    assert await imported(world, 0.3) == 3
    assert await in_force(world) == [3]


@pytest.mark.shows("G1", "S31")
def test_the_shapes_of_a_file_are_read_for_an_area() -> None:
    (shape,) = read_shapes(GOOD, ZIP)
    assert shape["type"] == "Polygon"
    assert shapely.hausdorff_distance(
        shapely.geometry.shape(shape), shapely.Polygon(SQUARE)
    ) < 1e-6  # fmt: skip
    with pytest.raises(LayerInvalid) as invalid:
        read_shapes(geojson(SQUARE, BOW_TIE), GEOJSON)
    (fault,) = invalid.value.faults
    assert fault.pointer == "/features/1/geometry/coordinates/0/0"
    with pytest.raises(LayerInvalid) as invalid:
        read_shapes(b"x", "text/csv")
    assert invalid.value.faults[0].code == "unsupported-format"


@pytest.mark.shows("S31")
@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        (Bounds(seconds=0), "too-slow"),
        (Bounds(memory=150 << 20), "malformed-file"),
        (Bounds(output=8), "malformed-file"),
    ],
    ids=["time", "memory", "output"],
)
def test_a_reader_beyond_its_bounds_ends_alone(bounds: Bounds, code: str) -> None:
    padded = geojson(SQUARE) + b" " * 30_000_000
    with pytest.raises(LayerInvalid) as invalid, run_apart(JOB, padded, bounds=bounds):
        pass
    assert invalid.value.faults[0].code in (code, "too-complex")
    with run_apart(JOB, geojson(SQUARE), bounds=Bounds()) as answer:
        assert answer.summary()["crs"] == "OGC:CRS84"


LOCKED = """
import os, socket, sys
import services.geofence.layers.formats.gdal.features
from services.geofence.layers.formats.gdal.warm_up import warm_up
from services.geofence.layers.formats.sandbox.lock import close_doors
warm_up()
close_doors()
for way in (lambda: open("/etc/passwd"), lambda: socket.create_connection(("127.0.0.1", PORT)),
            lambda: os.open("/tmp", os.O_RDONLY)):
    try:
        way()
    except OSError:
        continue
    sys.exit("a door is open")
import pyogrio
for name in ("/vsicurl/http://127.0.0.1:PORT/a.shp", "/etc/passwd", "WFS:http://127.0.0.1:PORT/"):
    try:
        pyogrio.read_info(name)
    except pyogrio.errors.DataSourceError:
        continue
    sys.exit("GDAL opened it")
sys.exit(0 if set(pyogrio.list_drivers()) == {"GPKG", "ESRI Shapefile"} else "too many drivers")
"""


@pytest.mark.shows("G1")
def test_behind_closed_doors_there_is_no_file_no_socket_and_no_other_driver() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        code = LOCKED.replace("PORT", str(listening.getsockname()[1]))
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], env=environment(ROOT), capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert KEPT == {"GPKG", "ESRI Shapefile"}


def test_the_reader_gets_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTALERT_GEOFENCE_KEYRING", "/etc/ct-alert/keys")
    assert not [name for name in environment(ROOT) if name.startswith("CTALERT")]
    assert "PATH" not in environment(ROOT)
    assert os.environ["CTALERT_GEOFENCE_KEYRING"]
