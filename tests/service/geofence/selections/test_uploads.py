"""A file draws an area like a hand does: in degrees, within the same limits, or not at all."""

import json
from typing import Any

import numpy as np
import pytest
import shapely

from services.geofence.areas.compose import compose
from services.geofence.areas.find_parts import find_parts
from tests.service.geofence.selections.conftest import Counter
from tests.service.geofence.selections.test_lists import refusal
from tests.unit.geofence.layers.files import (
    BOW_TIE,
    EAST,
    SQUARE,
    gpkg,
    kml,
    placemark,
    projected,
    shapefile,
    wkb_of,
)
from tests.unit.geofence.layers.strict_files import NOT_STRICT

UPLOAD = "/v1/areas/upload"
GEOJSON = "application/geo+json"
ZIP = "application/zip"
GPKG = "application/geopackage+sqlite3"
KML = "application/vnd.google-earth.kml+xml"
FEET = "EPSG:2234"
ACROSS = shapely.box(-72.8, 41.5, -72.6, 41.7)


def feature(*rings: Any, **properties: Any) -> dict[str, Any]:
    """Return a feature of one polygon."""
    geometry = {"type": "Polygon", "coordinates": list(rings)}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(*features: Any) -> bytes:
    """Return a FeatureCollection's bytes."""
    return json.dumps({"type": "FeatureCollection", "features": list(features)}).encode()


@pytest.mark.shows("G1", "G5")
@pytest.mark.parametrize(
    ("data", "media"),
    [
        (json.dumps({"type": "Polygon", "coordinates": [SQUARE]}).encode(), GEOJSON),
        (json.dumps(feature(SQUARE)).encode(), GEOJSON),
        (collection(feature(SQUARE, anything="goes")), GEOJSON),
        (shapefile(wkb_of(SQUARE)), ZIP),
        (shapefile(wkb_of(projected(SQUARE, FEET)), crs=FEET), ZIP),
        (gpkg(wkb_of(projected(SQUARE, FEET)), crs=FEET), GPKG),
        (kml(placemark("1", SQUARE)), KML),
    ],
    ids=["geometry", "feature", "collection", "shapefile", "shapefile-feet", "gpkg-feet", "kml"],
)
async def test_a_file_of_any_format_and_system_is_the_same_area(
    counter: Counter, data: bytes, media: str
) -> None:
    answer = await counter.post(UPLOAD, data, media)
    assert answer.status_code == 200, answer.text
    read = answer.json()
    (shape,) = read["shapes"]
    geometry = shapely.geometry.shape(shape["geometry"])
    # A metre is 1e-5 degrees; what was projected comes back to a fraction of a millimetre.
    assert shapely.hausdorff_distance(geometry, ACROSS) < 1e-8
    assert read["vertices"] == 5
    assert read["area_km2"] == pytest.approx(370.4, abs=0.5)
    async with counter.database.transaction() as tx:
        parts = await find_parts(tx, {"include": read["shapes"]})
    area = (await compose(parts)).area.geometry
    assert shapely.hausdorff_distance(area, ACROSS) < 1e-8


@pytest.mark.shows("G1", "G13")
async def test_several_features_are_several_shapes(counter: Counter) -> None:
    answer = await counter.post(UPLOAD, collection(feature(SQUARE), feature(EAST)), GEOJSON)
    assert len(answer.json()["shapes"]) == 2
    assert answer.json()["bounds"] == [-72.8, 41.5, pytest.approx(-72.4), 41.7]


@pytest.mark.shows("G1", "G2", "S31")
@pytest.mark.parametrize(
    ("data", "media", "status", "slug"),
    [
        (b"", GEOJSON, 400, "empty-body"),
        (b"{", GEOJSON, 400, "malformed-json"),
        (b"PK\x03\x04", ZIP, 400, None),
        (b"x" * 100, GPKG, 400, None),
        (collection(), GEOJSON, 422, None),
        (collection(feature(SQUARE), feature(BOW_TIE)), GEOJSON, 422, None),
        (collection({"type": "Feature", "properties": {}, "geometry": None}), GEOJSON, 422, None),
        (collection(feature([[y, x] for x, y in SQUARE])), GEOJSON, 422, None),
        (collection(feature([[x - 30, y] for x, y in SQUARE])), GEOJSON, 422, None),
        (collection(*(feature(SQUARE) for _ in range(101))), GEOJSON, 413, "too-complex"),
        (shapefile(wkb_of(SQUARE[::-1]), without=[".prj"]), ZIP, 422, None),
        (b"x" * 512_001, GEOJSON, 413, "too-large"),
    ],
    ids=["nothing", "cut-off", "no-zip", "no-gpkg", "no-features", "crossed", "null", "swapped",
         "elsewhere", "too-many", "no-system", "too-large"],
)  # fmt: skip
async def test_a_file_that_draws_no_area_is_a_problem(
    counter: Counter, data: bytes, media: str, status: int, slug: str | None
) -> None:
    answer = await counter.post(UPLOAD, data, media)
    assert answer.status_code == status, answer.text
    assert refusal(answer)[1] == (slug or refusal(answer)[1])


@pytest.mark.shows("G1", "G2", "bad:A05")
async def test_a_fault_names_its_feature_and_vertex(counter: Counter) -> None:
    answer = await counter.post(UPLOAD, collection(feature(SQUARE), feature(BOW_TIE)), GEOJSON)
    (fault,) = answer.json()["errors"]
    assert fault["code"] == "self-intersection"
    assert fault["pointer"] == "/features/1/geometry/coordinates/0/0"
    bare = {"type": "Polygon", "coordinates": [BOW_TIE]}
    for body, pointer in ((feature(BOW_TIE), "/geometry/coordinates/0/0"),
                          (bare, "/coordinates/0/0")):  # fmt: skip
        answer = await counter.post(UPLOAD, json.dumps(body).encode(), GEOJSON)
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


@pytest.mark.shows("G1", "S31", "bad:A07")
async def test_a_file_is_held_to_the_limits_of_a_hand(counter: Counter) -> None:
    turns = np.linspace(0, 2 * np.pi, 5_001)
    ring = np.column_stack([np.cos(turns) / 10 - 72.7, np.sin(turns) / 10 + 41.6]).round(6)
    ring[-1] = ring[0]
    answer = await counter.post(UPLOAD, collection(feature(ring.tolist())), GEOJSON)
    assert refusal(answer) == (413, "too-complex")


@pytest.mark.shows("bad:J04")
async def test_a_file_of_no_format_that_is_known(counter: Counter) -> None:
    for media in ("text/csv", "image/png", "multipart/form-data; boundary=x", ""):
        assert refusal(await counter.post(UPLOAD, b"x", media)) == (415, "unsupported-media-type")


@pytest.mark.shows("G1", *(f"bad:J{n:02}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10)))
@pytest.mark.parametrize("name", NOT_STRICT)
async def test_a_file_is_read_as_strictly_as_a_body(counter: Counter, name: str) -> None:
    _, data, status, code, pointer = NOT_STRICT[name]
    answer = await counter.post(UPLOAD, data, GEOJSON)
    assert refusal(answer) == (status, code)
    assert [one["pointer"] for one in answer.json().get("errors", [])] == [pointer] * (
        status == 422
    )


@pytest.mark.shows("G1", "bad:J06", "bad:J07")
async def test_a_geometry_by_itself_has_one_meaning_too(counter: Counter) -> None:
    twice = json.dumps({"type": "Polygon", "coordinates": [SQUARE]})[:-1] + ', "coordinates": []}'
    assert refusal(await counter.post(UPLOAD, twice.encode(), GEOJSON)) == (400, "duplicate-key")
    endless = b'{"type": "Polygon", "coordinates": [[[1e400, 0]]]}'
    answer = await counter.post(UPLOAD, endless, GEOJSON)
    assert answer.json()["errors"] == [{"pointer": "/coordinates/0/0/0", "code": "not-finite"}]
