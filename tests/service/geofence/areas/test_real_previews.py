"""Previews and outlines over the real boundaries: nobody lost, every neighbour named."""

import os
import uuid
from pathlib import Path

import numpy as np
import pytest
import shapely

from services.geofence.areas.area import normalise
from services.geofence.areas.atlas import Sheet, draw_sheet
from services.geofence.areas.jurisdictions import lies_in, near_to
from services.geofence.areas.outlines.outline import outline
from services.geofence.areas.residents import all_residents, entered_towns
from services.geofence.layers.kinds import Feature, Layer
from services.geofence.layers.read_geojson import read_geojson
from shared.connecticut import towns

GEO = Path(os.environ["CTALERT_TEST_DATA"]) / "geo"
TOWN_FILES = ("ct_towns.geojson", "ct_towns_state_hires.geojson")
PEOPLE = {town.geoid: town.population for town in towns()}


def read(file: str, code_field: str = "geoid") -> list[Feature]:
    return read_geojson((GEO / file).read_bytes(), code_field=code_field, name_field="name")


def sheet(file: str) -> Sheet:
    layer = Layer(
        layer_id=uuid.UUID(int=1), kind="town", version=1, digest="", features=169,
        imported_at="", activated_at="", valid_from="", current=True, source_format="geojson",
        source_crs="", source_layer="", warnings=(),
    )  # fmt: skip
    return draw_sheet(layer, read(file))


@pytest.mark.parametrize("file", TOWN_FILES)
@pytest.mark.shows("G13", "M19")
def test_a_town_is_itself_and_its_neighbours_are_those_around_it(file: str) -> None:
    known = sheet(file)
    for town in known.features[::4]:
        area = normalise([town.geometry]).geometry
        (entered,) = entered_towns(known, area)
        assert (entered.town.code, entered.share) == (town.code, 1.0)
        assert entered.residents == PEOPLE[town.code]
        near = near_to(known.features, known.flat, area, entered={town.code})
        named = {one.feature.code: one.distance_m for one in near}
        for other in known.features:
            if other.code != town.code and shapely.intersects(other.geometry, town.geometry):
                assert named[other.code] == 0.0
        assert all(metres <= 5_000 for metres in named.values())
        assert lies_in(area, town.geometry)


@pytest.mark.parametrize("file", TOWN_FILES)
def test_the_state_holds_all_its_residents(file: str) -> None:
    known = sheet(file)
    area = normalise([town.geometry for town in known.features]).geometry
    entered = entered_towns(known, area)
    assert len(entered) == 169
    assert all_residents(entered) == pytest.approx(sum(PEOPLE.values()), rel=1e-9)


def test_a_county_holds_the_residents_of_its_towns() -> None:
    known = sheet(TOWN_FILES[0])
    for county in read("ct_counties.geojson", "fips"):
        own = [town for town in towns() if town.county == county.code]
        entered = [one for one in entered_towns(known, county.geometry) if not one.is_sliver]
        assert {one.town.code for one in entered} == {town.geoid for town in own}
        expected = sum(town.population for town in own)
        assert all_residents(entered) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("ct_towns_state_hires.geojson", "geoid"),
        ("ct_counties_census2010_hires.geojson", "fips"),
        ("ct_planning_regions.geojson", "fips"),
        ("ct_nws_forecast_zones.geojson", "ugc"),
        ("nws_marine_zones_near_ct.geojson", "ugc"),
        ("ct_state.geojson", "fips"),
    ],
)
@pytest.mark.shows("G4")
def test_an_outline_of_a_real_area_leaves_nobody_out(file: str, code: str) -> None:
    grown = []
    for feature in read(file, code):
        area = normalise([feature.geometry]).geometry
        drawn = outline(area, most=100)
        assert shapely.is_valid(drawn.geometry)
        assert shapely.covers(drawn.geometry, area)
        assert shapely.get_num_coordinates(drawn.geometry) <= 100
        grown.append(drawn.growth)
    # A sea among islands costs most; half of all areas grow by less than a tenth.
    assert np.median(grown) < 0.1
