"""Areas over the real boundaries: every town at once, every division by its codes, every zone."""

import os
from pathlib import Path
from typing import Any

import pytest
import shapely

from services.geofence.areas.area import LARGEST_COMPRESSED, unpack
from services.geofence.areas.compose import Composed, compose
from services.geofence.areas.find_parts import find_parts
from services.geofence.areas.measure import area_km2
from services.geofence.areas.shapes.refusals import ShapesRefused
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.layers.geometry import GeometryRefused
from services.geofence.layers.import_layer import import_layer
from services.geofence.layers.kinds import Feature
from services.geofence.layers.read_geojson import read_geojson
from shared.connecticut import COUNTIES, PLANNING_REGIONS, towns
from tests.service.geofence.world import World

GEO = Path(os.environ["CTALERT_TEST_DATA"]) / "geo"
TOWN_FILES = ("ct_towns.geojson", "ct_towns_state_hires.geojson")


def read(file: str, code_field: str = "geoid") -> list[Feature]:
    """Read the features of a file."""
    return read_geojson((GEO / file).read_bytes(), code_field=code_field, name_field="name")


async def imported(world: World, file: str, kind: str, code_field: str = "geoid") -> None:
    """Import a file as it is."""
    async with world.database.transaction() as tx:
        await import_layer(
            tx,
            (GEO / file).read_bytes(),
            read(file, code_field),
            kind=kind,
            code_field=code_field,
        )


async def made(world: World, include: list[Any], **sides: Any) -> Composed:
    """Compose an area in a process apart, as the service does."""
    workshop = Workshop(hands=1)
    try:
        async with world.database.transaction() as tx:
            parts = await find_parts(tx, {"include": include, **sides})
        return await compose(parts, workshop=workshop)
    finally:
        await workshop.close()


def code(scheme: str, value: str) -> dict[str, str]:
    """Return a geocode."""
    return {"type": "geocode", "scheme": scheme, "value": value}


@pytest.mark.parametrize("file", TOWN_FILES)
@pytest.mark.shows("S31", "G6", "G13", "C10")
async def test_all_towns_at_once_are_one_area_that_an_event_carries(
    world: World, file: str
) -> None:
    await imported(world, file, "town")
    include = [{"type": "feature", "kind": "town", "name": town.name} for town in towns()]
    whole = await made(world, include)
    assert len(whole.area.packed) * 3 / 4 < LARGEST_COMPRESSED
    assert unpack(whole.area.packed, digest=whole.area.digest).wkb == whole.area.wkb
    union = shapely.union_all([one.geometry for one in read(file)])
    assert area_km2(whole.area.geometry ^ union) < 1e-6
    again = await made(world, [code("SAME", "009000"), *include[::-1]])
    assert again.area.digest == whole.area.digest


@pytest.mark.shows("S31", "G3")
@pytest.mark.parametrize("file", TOWN_FILES)
async def test_every_second_town_without_the_others_is_every_second_town(
    world: World, file: str
) -> None:
    """Their borders are shared all along, and each is on both sides."""
    await imported(world, file, "town")
    names = [{"type": "feature", "kind": "town", "name": town.name} for town in towns()]
    left = await made(world, [code("SAME", "009000")], exclude=names[::2])
    wanted = await made(world, names[1::2])
    assert area_km2(left.area.geometry ^ wanted.area.geometry) < 1e-4
    with pytest.raises(GeometryRefused, match="empty-area"):
        await made(world, names, exclude=[code("SAME", "009000")])


@pytest.mark.shows("C17", "G6")
async def test_a_division_by_its_code_is_the_division_on_the_map(world: World) -> None:
    await imported(world, TOWN_FILES[0], "town")
    maps = {
        one.code: one
        for file in ("ct_counties.geojson", "ct_planning_regions.geojson")
        for one in read(file, "fips")
    }
    for division in (*COUNTIES, *PLANNING_REGIONS):
        asked = await made(world, [code("SAME", division.same)])
        apart = asked.area.geometry ^ maps[division.fips].geometry
        assert area_km2(apart) < 0.01, division
        assert [one.kind for one in asked.layers] == ["town"]


@pytest.mark.shows("C17", "G6")
async def test_every_forecast_zone_is_the_zone_of_its_layer(world: World) -> None:
    await imported(world, "ct_nws_forecast_zones.geojson", "nws_zone", "ugc")
    for zone in read("ct_nws_forecast_zones.geojson", "ugc"):
        asked = await made(world, [code("UGC", zone.code)])
        assert asked.area.geometry.equals(zone.geometry)
    with pytest.raises(ShapesRefused) as refused:
        await made(world, [code("UGC", "CTZ010"), code("UGC", "CTZ014"), code("UGC", "CTC014")])
    assert [one.pointer for one in refused.value.faults] == ["/include/1/value", "/include/2/value"]


@pytest.mark.shows("C17")
async def test_codes_of_a_real_warning_elsewhere_are_unknown_every_one(world: World) -> None:
    await imported(world, TOWN_FILES[0], "town")
    await imported(world, "ct_nws_forecast_zones.geojson", "nws_zone", "ugc")
    for other in read("nws_counties_bordering_ct.geojson", "ugc"):
        with pytest.raises(ShapesRefused):
            await made(world, [code("UGC", other.code)])
