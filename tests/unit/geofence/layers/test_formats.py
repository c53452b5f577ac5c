"""Every format: the same areas come out, and the same faults are named at the same place."""

from collections.abc import Callable

import orjson
import pytest
import shapely

from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats.media import Format
from services.geofence.layers.formats.read_features import LayerFile
from services.geofence.layers.formats.sandbox.boundaries import read_layer
from tests.unit.geofence.layers.files import (
    BOW_TIE,
    EAST,
    SQUARE,
    Ring,
    archive,
    changed,
    geojson,
    gpkg,
    kml,
    placemark,
    projected,
    shapefile,
    wkb_of,
)

FEET = "EPSG:2234"
HOLE = [[-72.75, 41.55], [-72.65, 41.55], [-72.65, 41.65], [-72.75, 41.65], [-72.75, 41.55]]
HOLE_EAST = [[x + 0.2, y] for x, y in HOLE]
METRE_DEG = 1 / 111_320


def read(data: bytes, format: Format, *, kind: str = "zip", layer: str | None = None) -> LayerFile:
    """Read in this process what is otherwise read in one apart."""
    job = {"format": format, "kind": kind, "layer": layer, "code_field": "geoid"}
    packed, said = read_layer({**job, "name_field": "name"}, data)
    return LayerFile.unpack(packed, orjson.loads(said), format)


def faults(data: bytes, format: Format, layer: str | None = None) -> list[tuple[str, str, str]]:
    with pytest.raises(LayerInvalid) as invalid:
        read(data, format, layer=layer)
    return [(one.feature, one.pointer, one.code) for one in invalid.value.faults]


def as_kml(*rings: Ring) -> bytes:
    return kml(*(placemark(str(number), ring) for number, ring in enumerate(rings, 1)))


def as_kmz(*rings: Ring) -> bytes:
    return archive({"doc.kml": as_kml(*rings), "images/flag.png": b"\x89PNG"})


def as_gpkg(*rings: Ring) -> bytes:
    return gpkg(*(wkb_of(ring) for ring in rings))


def as_shapefile(*rings: Ring) -> bytes:
    # A shapefile's outer rings run clockwise.
    return shapefile(*(wkb_of(ring[::-1]) for ring in rings))


MAKERS: dict[Format, Callable[..., bytes]] = {
    "geojson": geojson,
    "shapefile": as_shapefile,
    "gpkg": as_gpkg,
    "kml": as_kml,
    "kmz": as_kmz,
}


@pytest.mark.shows("G1", "G6")
@pytest.mark.parametrize("format", MAKERS)
def test_the_same_areas_come_out_of_every_format(format: Format) -> None:
    found = read(MAKERS[format](SQUARE, EAST), format)
    assert [one.code for one in found.features] == ["1", "2"]
    for feature, ring in zip(found.features, (SQUARE, EAST), strict=True):
        assert shapely.normalize(feature.geometry) == shapely.normalize(shapely.Polygon(ring))
    assert found.format == format
    assert found.crs in ("OGC:CRS84", "EPSG:4326")
    assert found.warnings == ()


@pytest.mark.shows("G2", "bad:A05")
@pytest.mark.parametrize("format", MAKERS)
def test_a_crossing_ring_is_named_by_feature_and_vertex_in_every_format(format: Format) -> None:
    [(feature, pointer, code)] = faults(MAKERS[format](SQUARE, BOW_TIE), format)
    assert (feature, code) == ("2", "self-intersection")
    at, _, vertex = pointer.rpartition("/")
    assert at == "/features/1/geometry/coordinates/0"
    assert vertex in {"0", "2"}


@pytest.mark.shows("G2", "bad:A03")
@pytest.mark.parametrize("format", ["geojson", "gpkg", "kml"])
def test_a_ring_that_is_open_is_not_closed_for_anybody(format: Format) -> None:
    found = faults(MAKERS[format](SQUARE[:-1], EAST), format)
    assert found == [("1", "/features/0/geometry/coordinates/0/3", "ring-not-closed")]


@pytest.mark.shows("G2", "bad:A10")
@pytest.mark.parametrize("format", MAKERS)
def test_swapped_axes_are_found_out(format: Format) -> None:
    swapped = [[y, x] for x, y in SQUARE][::-1]
    [(feature, pointer, code)] = faults(MAKERS[format](swapped), format)
    assert (feature, code) == ("1", "swapped-coordinates")
    assert pointer.startswith("/features/0/geometry/coordinates/0/")


@pytest.mark.shows("G2")
@pytest.mark.parametrize("format", MAKERS)
def test_what_lies_elsewhere_is_refused(format: Format) -> None:
    [(_, _, code)] = faults(MAKERS[format]([[x - 40, y - 10] for x, y in SQUARE]), format)
    assert code == "outside-service-area"


@pytest.mark.shows("G1", "G5")
@pytest.mark.parametrize(
    "crs", ["EPSG:2234", "EPSG:26956", "EPSG:6434", "EPSG:3748", "EPSG:3857", "EPSG:4269"]
)
@pytest.mark.parametrize("format", ["shapefile", "gpkg"])
def test_every_system_of_the_state_is_brought_to_degrees_within_a_metre(
    format: Format, crs: str
) -> None:
    ring = projected(SQUARE[::-1], crs)
    made = (shapefile if format == "shapefile" else gpkg)(wkb_of(ring), crs=crs)
    found = read(made, format)
    assert found.crs == crs
    back = shapely.get_coordinates(found.features[0].geometry)
    there = projected(back.tolist(), crs)
    # There and back within a metre, whatever the unit: degrees, feet or metres.
    unit = {"EPSG:4269": METRE_DEG, "EPSG:2234": 3.28, "EPSG:6434": 3.28}.get(crs, 1.0)
    apart = shapely.hausdorff_distance(shapely.Polygon(there), shapely.Polygon(ring))
    assert apart < unit
    outline = shapely.Polygon(SQUARE)
    assert shapely.hausdorff_distance(found.features[0].geometry, outline) < METRE_DEG


@pytest.mark.shows("G1", "G5")
@pytest.mark.parametrize(
    "name",
    ["urn:ogc:def:crs:EPSG::2234", "EPSG:2234", "http://www.opengis.net/def/crs/EPSG/0/2234"],
)
def test_geojson_of_a_known_other_system_is_brought_to_degrees(name: str) -> None:
    found = read(geojson(projected(SQUARE, FEET), crs=name), "geojson")
    assert found.crs == FEET
    apart = shapely.hausdorff_distance(found.features[0].geometry, shapely.Polygon(SQUARE))
    assert apart < METRE_DEG
    bow_tie = faults(geojson(projected(BOW_TIE, FEET), crs=name), "geojson")
    assert bow_tie == [("1", "/features/0/geometry/coordinates/0/0", "self-intersection")]


@pytest.mark.shows("G1", "bad:A15")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("EPSG:999999", "unknown-crs"),
        ("urn:ogc:def:crs:EPSG::4978", "unknown-crs"),
        ("EPSG:4267", "crs-too-rough"),
        ("mine", "unsupported-crs"),
        ("+proj=longlat +nadgrids=/etc/passwd", "unsupported-crs"),
    ],
)
def test_geojson_of_a_system_that_is_not_tied_to_ours_is_refused(name: str, code: str) -> None:
    assert faults(geojson(SQUARE, crs=name), "geojson") == [("", "", code)]


@pytest.mark.shows("G1")
def test_a_missing_reference_system_is_never_assumed() -> None:
    made = shapefile(wkb_of(SQUARE[::-1]), without=[".prj"])
    assert faults(made, "shapefile") == [("", "", "crs-missing")]
    for number in (0, -1):
        made = changed(
            gpkg(wkb_of(SQUARE)),
            f"UPDATE gpkg_geometry_columns SET srs_id = {number}",  # noqa: S608
        )
        assert faults(made, "gpkg") == [("", "", "crs-missing")]


def test_an_altitude_is_left_out_and_said() -> None:
    high = [[x, y, 12.5] for x, y in SQUARE]
    flat = shapely.normalize(shapely.Polygon(SQUARE))
    for made, format in (
        (geojson(high), "geojson"),
        (as_kml(high), "kml"),
        (gpkg(wkb_of(high), geometry_type="Polygon Z"), "gpkg"),
        (shapefile(wkb_of(high[::-1]), geometry_type="Polygon Z"), "shapefile"),
    ):
        found = read(made, format)  # type: ignore[arg-type]
        assert not shapely.has_z(found.features[0].geometry)
        assert shapely.normalize(found.features[0].geometry) == flat
        assert [one.code for one in found.warnings] == ["altitude-dropped"]


@pytest.mark.shows("G2", "bad:A06")
def test_a_hole_outside_its_shell_is_not_made_an_area_of_its_own() -> None:
    away = [[x + 1, y] for x, y in HOLE]
    made = shapefile(wkb_of(SQUARE[::-1]), wkb_of(EAST[::-1], HOLE_EAST, away))
    at = "/features/1/geometry/coordinates/2/0"
    assert faults(made, "shapefile") == [("2", at, "hole-outside-shell")]
    at = "/features/0/geometry/coordinates/1/0"
    for data, format in (
        (gpkg(wkb_of(SQUARE, away)), "gpkg"),
        (kml(placemark("1", SQUARE, away)), "kml"),
        (shapefile(wkb_of(SQUARE[::-1], away)), "shapefile"),
        (shapefile(wkb_of(*(projected(ring, FEET) for ring in (SQUARE[::-1], away))), crs=FEET),
         "shapefile"),
    ):  # fmt: skip
        assert faults(data, format) == [("1", at, "hole-outside-shell")]  # type: ignore[arg-type]


def test_holes_stay_holes() -> None:
    whole = shapely.Polygon(SQUARE, [HOLE])
    for made, format in (
        (shapefile(wkb_of(SQUARE[::-1], HOLE)), "shapefile"),
        (gpkg(wkb_of(SQUARE, HOLE)), "gpkg"),
        (kml(placemark("1", SQUARE, HOLE)), "kml"),
    ):
        found = read(made, format)  # type: ignore[arg-type]
        assert found.features[0].geometry.equals(whole)


@pytest.mark.shows("G2")
def test_a_feature_without_geometry_or_number_is_named() -> None:
    assert faults(gpkg(wkb_of(SQUARE), None), "gpkg") == [
        ("2", "/features/1/geometry", "geometry-required")
    ]
    nowhere = [SQUARE[0], [float("nan"), 41.5], *SQUARE[2:]]
    assert faults(gpkg(wkb_of(nowhere)), "gpkg") == [
        ("1", "/features/0/geometry/coordinates/0/1", "not-finite")
    ]


def test_up_to_a_hundred_faults_are_reported() -> None:
    found = faults(geojson(*[BOW_TIE] * 130), "geojson")
    assert len(found) == 100
    assert {code for _, _, code in found} == {"self-intersection"}


def test_fields_are_found_in_any_case_and_numbers_stay_whole() -> None:
    held = {"GEOID": [9001, 9003], "Name": ["One", "Two"]}
    made = gpkg(wkb_of(SQUARE), wkb_of(EAST), fields=held)
    assert [(one.code, one.name) for one in read(made, "gpkg").features] == [
        ("9001", "One"), ("9003", "Two"),
    ]  # fmt: skip
    held = {"geoid": [9001, None], "name": ["One", "Two"]}
    assert faults(gpkg(wkb_of(SQUARE), wkb_of(EAST), fields=held), "gpkg") == [
        ("number 1", "/features/1/properties", "property-required")
    ]
    held = {"geoid": [9001.5, 2.5], "name": ["One", "Two"]}
    found = faults(gpkg(wkb_of(SQUARE), wkb_of(EAST), fields=held), "gpkg")
    assert {code for _, _, code in found} == {"property-required"}


def test_neighbours_that_overlap_or_leave_a_gap_are_warned_of() -> None:
    ring = [[x, y] for x, y in [(-72.8, 41.5), (-72.6, 41.5), (-72.6, 41.7), (-72.8, 41.7)]]
    around = kml(
        placemark("1", [*ring, ring[0]], HOLE, name="Around"),
        placemark("2", [[x + 0.19, y] for x, y in SQUARE], name="East"),
    )
    warned = {one.code: one for one in read(around, "kml").warnings}
    assert warned["overlap"].features == ("1", "2")
    assert warned["gap"].features == ("1",)
    assert "m2" in warned["gap"].detail
    assert read(around, "kml", kind="jurisdiction").warnings == ()


def test_codes_are_held_to_the_gazetteer() -> None:
    found = {one.code: one for one in read(geojson(SQUARE), "geojson", kind="town").warnings}
    assert found["codes-missing"].detail.startswith("169 of 169")
    assert found["codes-unknown"].features == ("1",)
