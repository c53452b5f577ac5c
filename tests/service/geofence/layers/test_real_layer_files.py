"""The Census Bureau's own shapefile and its like in every format: the same towns each time."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pyogrio.raw
import pytest
import shapely

from services.geofence.areas.measure import area_km2
from services.geofence.layers.formats.media import Format
from services.geofence.layers.formats.read_features import LayerFile, read_features
from services.geofence.layers.kinds import Feature
from services.geofence.layers.read_geojson import read_geojson
from tests.unit.geofence.layers.files import archive, kml, placemark, projected, wkb_of

GEO = Path(os.environ["CTALERT_TEST_DATA"]) / "geo"
CENSUS = "cb_2017_09_cousub_500k.zip"
# A degree is 111 km, and 83 km of longitude here.
METRE_DEG = 1 / 111_320


def read(data: bytes, format: Format, *, kind: str = "town", code: str = "geoid") -> LayerFile:
    return read_features(data, format, kind=kind, code_field=code, name_field="name")


def towns() -> list[Feature]:
    data = (GEO / "ct_towns.geojson").read_bytes()
    return read_geojson(data, code_field="geoid", name_field="name")


def assert_same(found: list[Feature], expected: list[Feature], *, within_m: float) -> None:
    assert [one.code for one in found] == [one.code for one in expected]
    for one, other in zip(found, expected, strict=True):
        apart = shapely.hausdorff_distance(one.geometry, other.geometry)
        assert apart <= within_m * METRE_DEG, one.code


@pytest.mark.shows("G1", "G5", "G6")
def test_the_census_bureaus_shapefile_is_the_169_towns() -> None:
    found = read((GEO / CENSUS).read_bytes(), "shapefile")
    assert (found.crs, found.layer, len(found.features)) == (
        "EPSG:4269", CENSUS.removesuffix(".zip"), 169,
    )  # fmt: skip
    # Side by side without overlap or gap, with the codes that the gazetteer knows.
    assert found.warnings == ()
    assert_same(found.features, towns(), within_m=1.0)
    union = shapely.union_all([one.geometry for one in found.features])
    data = (GEO / "ct_state.geojson").read_bytes()
    (state,) = read_geojson(data, code_field="fips", name_field="name")
    apart = shapely.symmetric_difference(union, state.geometry)
    assert area_km2(apart) / area_km2(state.geometry) < 1e-6


@pytest.mark.shows("G1", "G5", "G6")
@pytest.mark.parametrize("ending", ["gpkg", "shp", "kml"])
def test_the_towns_in_connecticuts_feet_come_back_within_a_metre(ending: str) -> None:
    expected = [one for one in towns() if shapely.get_num_geometries(one.geometry) == 1]
    shells = [shapely.get_parts(one.geometry)[0].exterior.coords for one in expected]
    if ending == "kml":
        document = kml(
            *(
                placemark(one.code, [[x, y, 0.0] for x, y in shell], name=one.name)
                for one, shell in zip(expected, shells, strict=True)
            )
        )
        found = read(document, "kml")
        assert "altitude-dropped" in {one.code for one in found.warnings}
        assert_same(found.features, expected, within_m=0.0)
        return
    feet = [wkb_of(projected(list(shell), "EPSG:2234")) for shell in shells]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"towns.{ending}"
        pyogrio.raw.write(
            file, np.array(feet, object),
            [np.array([getattr(one, name) for one in expected], object)
             for name in ("code", "name")],
            ["GEOID", "NAME"], geometry_type="Polygon", crs="EPSG:2234",
        )  # fmt: skip
        if ending == "gpkg":
            found = read(file.read_bytes(), "gpkg")
        else:
            found = read(zipped(Path(folder)), "shapefile")
    assert found.crs == "EPSG:2234"
    assert_same(found.features, expected, within_m=1.0)


@pytest.mark.parametrize(
    ("file", "kind", "code"),
    [
        ("ct_towns_state_hires.geojson", "town", "geoid"),
        ("ct_towns.geojson", "town", "geoid_2022"),
        ("ct_counties.geojson", "county", "fips"),
        ("ct_planning_regions.geojson", "planning_region", "fips"),
        ("ct_nws_forecast_zones.geojson", "nws_zone", "ugc"),
    ],
)
@pytest.mark.shows("G6")
def test_real_layers_have_the_gazetteers_codes(file: str, kind: str, code: str) -> None:
    found = read((GEO / file).read_bytes(), "geojson", kind=kind, code=code)
    assert {one.code for one in found.warnings} <= {"overlap", "gap", "more"}


def zipped(folder: Path) -> bytes:
    """Return a ZIP archive of all files of a folder."""
    return archive({one.name: one.read_bytes() for one in sorted(folder.iterdir())})
