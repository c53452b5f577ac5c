"""The real boundaries: every one is taken in, and the towns cover the state without gap."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from services.geofence.areas.area import normalise
from services.geofence.areas.measure import area_km2
from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats.checks.whereabouts import check_whereabouts
from services.geofence.layers.import_layer import import_layer
from services.geofence.layers.kinds import Feature
from services.geofence.layers.list_layers import list_layers
from services.geofence.layers.locate import locate
from services.geofence.layers.read_geojson import read_geojson
from shared.connecticut import COUNTIES, PLANNING_REGIONS, town_by_geoid, towns
from tests.service.geofence.world import World
from tests.unit.geofence.oracle import Answer, Places, ask, make_index

GEO = Path(os.environ["CTALERT_TEST_DATA"]) / "geo"
TOWN_FILES = ("ct_towns.geojson", "ct_towns_state_hires.geojson")
LAYERS = [
    ("ct_towns.geojson", "geoid", 169),
    ("ct_towns_state_hires.geojson", "geoid", 169),
    ("ct_counties.geojson", "fips", 8),
    ("ct_planning_regions.geojson", "fips", 9),
    ("ct_nws_forecast_zones.geojson", "ugc", 13),
    ("ct_nws_counties.geojson", "ugc", 8),
    ("nws_marine_zones_near_ct.geojson", "ugc", 5),
    ("nws_counties_bordering_ct.geojson", "ugc", 11),
    ("ct_census_tracts_2018.geojson", "geoid", 830),
    ("ct_state.geojson", "fips", 1),
]


def read(file: str, code_field: str = "geoid") -> list[Feature]:
    return read_geojson((GEO / file).read_bytes(), code_field=code_field, name_field="name")


@pytest.mark.parametrize(("file", "code", "features"), LAYERS)
@pytest.mark.shows("G6")
def test_every_layer_is_valid(file: str, code: str, features: int) -> None:
    assert len(read(file, code)) == features


@pytest.mark.parametrize(("kind", "file", "code"), [
    ("town", "ct_towns.geojson", "geoid"), ("town", "ct_towns.geojson", "geoid_2022"),
    ("town", "ct_towns_state_hires.geojson", "geoid"), ("county", "ct_counties.geojson", "fips"),
    ("county", "ct_counties_census2010_hires.geojson", "fips"),
    ("planning_region", "ct_planning_regions.geojson", "fips"),
    ("nws_zone", "ct_nws_forecast_zones.geojson", "ugc"),
    ("same", "ct_nws_counties.geojson", "same"),
])  # fmt: skip
@pytest.mark.shows("G2", "C17")
def test_every_known_code_is_where_its_towns_are(kind: str, file: str, code: str) -> None:
    features = read(file, code)
    check_whereabouts(features, kind)
    last = features[-1]
    swapped = [replace(one, code=last.code) if n == 0 else one for n, one in enumerate(features)]
    swapped[-1] = replace(last, code=features[0].code)
    with pytest.raises(LayerInvalid):
        check_whereabouts(swapped, kind)


@pytest.mark.parametrize("file", TOWN_FILES)
@pytest.mark.shows("G6", "G13")
def test_the_union_of_the_towns_is_the_state(file: str) -> None:
    area = normalise([town.geometry for town in read(file)])
    (state,) = read("ct_state.geojson", "fips")
    apart = shapely.symmetric_difference(area.geometry, state.geometry)
    # The two editions draw the shore differently; inland there is neither gap nor overlap.
    assert area_km2(apart) / area_km2(state.geometry) < (1e-9 if file == TOWN_FILES[0] else 0.02)


@pytest.mark.parametrize("file", TOWN_FILES)
@pytest.mark.shows("G10", "G14")
def test_the_index_agrees_with_every_town(file: str) -> None:
    random = np.random.default_rng(11)
    features = read(file)
    corners = shapely.get_coordinates([town.geometry for town in features])
    corners = corners[random.choice(len(corners), 5_000, replace=False)]
    points = np.concatenate([random.uniform([-73.8, 40.9], [-71.7, 42.1], (60_000, 2)), corners])
    lon, lat = points.T.copy()
    people = np.arange(len(points), dtype=np.int32)
    index = make_index(Places(lon, lat, np.zeros(len(points)), people), len(points))
    union = normalise([town.geometry for town in features]).geometry
    for area in [*(town.geometry for town in features[::7]), union]:
        expected = np.flatnonzero(shapely.intersects_xy(area, lon, lat))
        assert ask(index, area) == Answer(frozenset(expected.tolist()), frozenset())


def test_centroids_of_the_gazetteer_lie_in_their_towns() -> None:
    lon = np.array([town.lon for town in towns()])
    lat = np.array([town.lat for town in towns()])
    found = locate(read(TOWN_FILES[0]), lon, lat)
    assert [one.code for one in found if one] == [town.geoid for town in towns()]


def test_the_gazetteer_says_what_the_data_says() -> None:
    features = json.loads((GEO / TOWN_FILES[0]).read_text())["features"]
    for said in (feature["properties"] for feature in features):
        town = town_by_geoid(said["geoid"])
        assert town is not None
        assert (town.name, town.geoid_2022, town.county, town.region, town.population) == (
            said["name"],
            said["geoid_2022"],
            said["county_fips"],
            said["planning_region_fips"],
            said["population_2020"],
        )
    counties = {one.code: one.name for one in read("ct_counties.geojson", "fips")}
    assert {one.fips: one.name for one in COUNTIES} == counties
    regions = {one.code: one.name for one in read("ct_planning_regions.geojson", "fips")}
    assert {one.fips: f"{one.name} Planning Region" for one in PLANNING_REGIONS} == regions


async def test_the_same_bytes_twice_are_one_version(world: World) -> None:
    for file in (*TOWN_FILES, *TOWN_FILES):
        data = (GEO / file).read_bytes()
        async with world.database.transaction() as tx:
            await import_layer(tx, data, read(file), kind="town")
    async with world.database.transaction() as tx:
        layers = await list_layers(tx)
    assert [(one.version, one.current) for one in layers] == [(2, True), (1, False)]
