"""Counties and planning regions are their towns, however they are asked for."""

import pytest

from services.geofence.layers.geometry import GeometryRefused
from services.geofence.layers.kinds import Feature
from tests.service.geofence.areas.test_named_areas import (
    SEA,
    ZONE,
    board,
    code,
    imported,
    made,
    named,
)
from tests.service.geofence.world import World


@pytest.mark.shows("C17", "G6")
@pytest.mark.parametrize(
    ("feature", "fips"),
    [
        ({"kind": "county", "code": "09001"}, "09001"),
        ({"kind": "county", "name": "FAIRFIELD County"}, "09001"),
        ({"kind": "county", "name": "fairfield"}, "09001"),
        ({"kind": "county", "name": "Old Windham"}, "09015"),
        ({"kind": "county", "code": "09190"}, "09190"),
        ({"kind": "planning_region", "code": "09110"}, "09110"),
        ({"kind": "planning_region", "name": "Capitol planning region"}, "09110"),
    ],
)
async def test_a_division_by_its_name_is_what_its_geocode_is(
    world: World, feature: dict[str, str], fips: str
) -> None:
    await imported(world, "town", board())
    drawn = [("09001", "Fairfield"), ("09015", "Old Windham"), ("09190", "Western Connecticut")]
    await imported(world, "county", [Feature(*one, SEA) for one in drawn])
    found = await made(world, {"type": "feature", **feature})
    coded = await made(world, code("FIPS", fips))
    assert found.area.digest == coded.area.digest
    assert found.layers == coded.layers
    assert not found.area.geometry.intersects(SEA)


@pytest.mark.shows("C17", "G6", "S05")
async def test_counties_of_other_states_are_features_of_their_layer(world: World) -> None:
    await imported(world, "town", board())
    for ask in (named("county", code="36119"), named("planning_region", name="Gondor")):
        with pytest.raises(GeometryRefused) as refused:
            await made(world, ask)
        assert (refused.value.code, refused.value.pointer) == ("unknown-layer", "/include/0/kind")
    drawn = [("36119", "Westchester", ZONE), ("25017", "Middlesex", SEA)]
    await imported(world, "county", [Feature(*one) for one in drawn])
    found = await made(world, named("county", code="36119"), named("county", code="09001"))
    assert found.area.geometry.intersects(ZONE)
    assert [one.kind for one in found.layers] == ["county", "town"]
    assert (await made(world, named("county", code="25017"))).area.geometry.equals(SEA)
    for ask, slug, member in (
        (named("county", name="Middlesex"), "ambiguous-name", "name"),
        (named("county", code="09001", version=1), "unknown-layer", "version"),
        (named("county", code="09190"), "unknown-feature", "code"),
        (named("planning_region", code="09001"), "unknown-layer", "kind"),
    ):
        with pytest.raises(GeometryRefused) as refused:
            await made(world, ask)
        assert (refused.value.code, refused.value.pointer) == (slug, f"/include/0/{member}")
