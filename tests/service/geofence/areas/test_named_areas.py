"""Names and geocodes become areas through the layers that are imported, or the request ends."""

from typing import Any

import pytest
import shapely

from services.geofence.areas.compose import Composed, compose
from services.geofence.areas.find_parts import find_parts
from services.geofence.areas.shapes.refusals import ShapesRefused
from services.geofence.layers.geometry import GeometryRefused
from services.geofence.layers.import_layer import import_layer
from services.geofence.layers.kinds import Feature
from shared.connecticut import Town, towns
from tests.service.geofence.world import World

SIDE = 0.02
ZONE = shapely.box(-72.5, 41.3, -72.4, 41.35)
SEA = shapely.box(-72.5, 41.2, -72.4, 41.3)


def box_of(number: int, *, shift: float = 0.0) -> shapely.Polygon:
    """Return the field of a town on a board of thirteen by thirteen."""
    west, south = -73.2 + number % 13 * SIDE + shift, 41.3 + number // 13 * SIDE
    return shapely.box(west, south, west + SIDE, south + SIDE)


BOARD = {town.name: box_of(number) for number, town in enumerate(towns())}


def board(*, code: str = "geoid", shift: float = 0.0, without: str = "") -> list[Feature]:
    """Return every town of the state as a field, by one of its codes."""
    return [
        Feature(getattr(town, code), town.name, box_of(number, shift=shift))
        for number, town in enumerate(towns())
        if town.name != without
    ]


async def imported(world: World, kind: str, features: list[Feature]) -> None:
    """Import a layer as it is."""
    data = repr([(one.code, one.geometry.wkt) for one in features]).encode()
    async with world.database.transaction() as tx:
        await import_layer(tx, data, features, kind=kind)


async def made(world: World, *include: dict[str, Any], **sides: Any) -> Composed:
    """Compose an area of shapes."""
    async with world.database.transaction() as tx:
        parts = await find_parts(tx, {"include": list(include), **sides})
    return await compose(parts)


def code(scheme: str, value: str) -> dict[str, str]:
    """Return a geocode."""
    return {"type": "geocode", "scheme": scheme, "value": value}


def named(kind: str, **members: Any) -> dict[str, Any]:
    """Return a feature by its name."""
    return {"type": "feature", "kind": kind, **members}


def fields(*some: Town) -> shapely.Geometry:
    """Return the union of the fields of towns."""
    return shapely.union_all([BOARD[town.name] for town in some])


@pytest.mark.shows("C17", "C10", "G6", "G13")
@pytest.mark.parametrize("by", ["geoid", "geoid_2022"])
async def test_a_division_is_its_towns_whichever_code_the_layer_knows(
    world: World, by: str
) -> None:
    await imported(world, "town", board(code=by))
    # An outline of the county itself is never asked: it may follow the other division.
    await imported(world, "county", [Feature("09001", "Fairfield", SEA)])
    county = await made(world, code("SAME", "009001"))
    assert county.area.geometry.equals(fields(*(one for one in towns() if one.county == "09001")))
    region = await made(world, code("SAME", "009190"))
    assert region.area.geometry.equals(fields(*(one for one in towns() if one.region == "09190")))
    state = await made(world, code("SAME", "009000"))
    assert state.area.geometry.equals(fields(*towns()))
    assert [(one.kind, one.version) for one in county.layers] == [("town", 1)]
    both = await made(world, code("UGC", "CTC001"), code("FIPS6", "009190"))
    assert both.area.geometry.equals(county.area.geometry | region.area.geometry)


@pytest.mark.shows("C17", "S05")
async def test_a_county_that_lacks_a_town_is_not_made(world: World) -> None:
    await imported(world, "town", board(without="Bridgeport"))
    with pytest.raises(GeometryRefused) as refused:
        await made(world, code("SAME", "009001"))
    assert refused.value.code == "incomplete-layer"
    with pytest.raises(GeometryRefused) as refused:
        await made(world, named("county", name="Fairfield"))
    assert (refused.value.code, refused.value.pointer) == ("incomplete-layer", "/include/0/name")
    assert (await made(world, code("SAME", "009013"))).area.geometry.area > 0


@pytest.mark.shows("C17", "G6")
async def test_zones_and_parts_are_known_where_their_layer_is(world: World) -> None:
    await imported(world, "town", board())
    with pytest.raises(GeometryRefused) as refused:
        await made(world, code("UGC", "CTZ010"))
    assert refused.value.code == "unknown-layer"
    await imported(world, "nws_zone", [Feature("CTZ010", "Southern New Haven", ZONE)])
    await imported(world, "same", [Feature("109001", "Northwest Fairfield", SEA)])
    zone = await made(world, code("UGC", "CTZ010"))
    assert zone.area.geometry.equals(ZONE)
    part = await made(world, code("SAME", "109001"))
    assert part.area.geometry.equals(SEA)
    mixed = await made(world, code("UGC", "CTZ010"), code("TOWN", "Kent"))
    assert mixed.area.geometry.equals(ZONE | BOARD["Kent"])
    assert [(one.kind, one.version) for one in mixed.layers] == [("nws_zone", 1), ("town", 1)]


@pytest.mark.shows("C17", "bad:C22", "bad:A17", "S05")
async def test_one_unknown_code_refuses_all_and_each_is_named(world: World) -> None:
    await imported(world, "town", board())
    await imported(world, "nws_zone", [Feature("CTZ010", "Southern New Haven", ZONE)])
    with pytest.raises(ShapesRefused) as refused:
        await made(
            world,
            code("SAME", "009001"),
            code("SAME", "036061"),
            code("UGC", "CTZ099"),
            code("NUTS2", "BE21"),
            code("UGC", "CTZ010"),
        )
    places = [(one.pointer, one.code) for one in refused.value.faults]
    assert places == [(f"/include/{number}/value", "unknown-geocode") for number in (1, 2, 3)]


@pytest.mark.shows("C17", "C10")
async def test_codes_beside_a_shape_are_looked_up_and_add_nothing(world: World) -> None:
    await imported(world, "town", board(without="Bridgeport"))
    await imported(world, "nws_zone", [Feature("CTZ010", "Southern New Haven", ZONE)])
    await imported(world, "same", [Feature("036119", "Westchester", SEA)])
    codes = {
        # The gazetteer knows a county, whatever the layer of towns lacks.
        ("SAME", "009001"): True, ("UGC", "CTC009"): True, ("FIPS", "09190"): True,
        ("TOWN", "Kent"): True, ("UGC", "CTZ010"): True, ("SAME", "036119"): True,
        ("SAME", "036061"): False, ("UGC", "NYZ067"): False, ("UGC", "NYC061"): False,
        ("FIPS", "36061"): False, ("UGC", "GMZ130"): False,
    }  # fmt: skip
    found = await made(world, code("TOWN", "Kent"), beside=[code(*one) for one in codes])
    assert found.area.geometry.equals(BOARD["Kent"])
    assert [(one.kind, one.version) for one in found.layers] == [("town", 1)]
    assert {(one.code.scheme, one.code.value): one.is_known for one in found.beside} == codes


@pytest.mark.shows("C17", "C10", "S05")
async def test_a_code_beside_a_shape_that_may_be_here_and_is_unknown_refuses_all(
    world: World,
) -> None:
    await imported(world, "town", board())
    # Those of other states are named last: alone they would refuse nothing.
    here = [code("UGC", "CTZ010"), code("SAME", "109001"), code("SAME", "009002"),
            code("UGC", "CTC002"), code("FIPS", "09199"), code("FIPS", "0900100000"),
            code("TOWN", "Gondor"), code("UGC", "ANZ335"), code("SAME", "073335"),
            code("NUTS2", "BE21")]  # fmt: skip
    beside = [code("SAME", "036061"), code("SAME", "009001"), *here]
    lost = [(f"/beside/{number}/value", "unknown-geocode") for number in range(2, len(beside))]
    foreign = ("/beside/0/value", "beyond-state")
    kent = code("TOWN", "Kent")
    for include, first in (([kent], []), ([kent, code("UGC", "NYC061")], ["/include/1/value"])):
        with pytest.raises(ShapesRefused) as refused:
            await made(world, *include, beside=beside)
        named = [(one.pointer, one.code) for one in refused.value.faults]
        assert named == [*((at, "unknown-geocode") for at in first), *lost, foreign]
        assert refused.value.code == "unknown-geocode"


@pytest.mark.shows("S05", "bad:A14")
async def test_nothing_but_geocodes_stands_beside_shapes(world: World) -> None:
    await imported(world, "town", board())
    kent = code("TOWN", "Kent")
    for beside, pointer in (
        (None, "/beside"), ("SAME", "/beside"), ([None], "/beside/0"),
        ([kent, named("town", name="Kent")], "/beside/1"),
    ):  # fmt: skip
        with pytest.raises(GeometryRefused) as refused:
            await made(world, kent, beside=beside)
        assert (refused.value.code, refused.value.pointer) == ("malformed-shape", pointer)
    with pytest.raises(GeometryRefused) as refused:
        await made(world, beside=[kent])
    assert refused.value.code == "area-required"


@pytest.mark.shows("bad:C22", "S05")
async def test_the_whole_country_is_forbidden(world: World) -> None:
    await imported(world, "town", board())
    with pytest.raises(GeometryRefused) as refused:
        await made(world, code("SAME", "000000"))
    assert (refused.value.code, refused.value.status) == ("whole-country", 403)


@pytest.mark.shows("G6", "bad:A17")
async def test_a_version_that_is_no_longer_in_force_can_be_named(world: World) -> None:
    await imported(world, "town", board())
    await imported(world, "town", board(shift=0.5))
    kent = named("town", name="KENT")
    now, before = await made(world, kent), await made(world, kent | {"version": 1})
    assert before.area.geometry.equals(BOARD["Kent"])
    assert not now.area.geometry.intersects(before.area.geometry)
    assert [(one.kind, one.version) for one in before.layers] == [("town", 1)]
    both = await made(world, kent, kent | {"version": 1})
    assert [one.version for one in both.layers] == [1, 2]
    for bad, slug in (
        ({"version": 3}, "unknown-layer"),
        ({"version": 0}, "malformed-shape"),
        ({"version": "1"}, "malformed-shape"),
        ({"version": True}, "malformed-shape"),
    ):
        with pytest.raises(GeometryRefused) as refused:
            await made(world, kent | bad)
        assert refused.value.code == slug


@pytest.mark.shows("G3", "G6")
async def test_names_can_be_excluded_and_drawn_shapes_beside_them(world: World) -> None:
    await imported(world, "town", board())
    kent = next(town for town in towns() if town.name == "Kent")
    without = await made(world, code("SAME", "009005"), exclude=[named("town", name="Kent")])
    others = (one for one in towns() if one.county == "09005" and one is not kent)
    assert without.area.geometry.equals(fields(*others))
    spot = BOARD["Kent"].centroid
    circle = {"type": "circle", "lon": spot.x, "lat": spot.y, "radius_m": 200}
    ring = await made(world, named("town", name="Kent"), exclude=[circle])
    assert not ring.area.geometry.intersects(spot)
    assert len(shapely.get_rings(ring.area.geometry)) == 2
    with pytest.raises(GeometryRefused) as refused:
        await made(world, circle, exclude=[code("TOWN", "Kent")])
    assert refused.value.code == "empty-area"


@pytest.mark.shows("bad:A17", "S05")
async def test_all_unknown_names_are_named(world: World) -> None:
    await imported(world, "town", board())
    with pytest.raises(ShapesRefused) as refused:
        await made(
            world,
            named("town", name="Gondor"),
            named("town", name="Kent"),
            named("town", code="0"),
        )
    assert [one.pointer for one in refused.value.faults] == ["/include/0/name", "/include/2/code"]


@pytest.mark.shows("S05")
async def test_an_unknown_saved_area_is_refused(world: World) -> None:
    unknown = {"type": "saved", "saved_area_id": "0197a3a8-0000-7000-8000-000000000000"}
    with pytest.raises(GeometryRefused) as refused:
        await made(world, unknown)
    assert refused.value.code == "unknown-saved-area"
    for bad in (None, "", "*", 7):
        with pytest.raises(GeometryRefused) as refused:
            await made(world, {"type": "saved", "saved_area_id": bad})
        assert refused.value.code == "malformed-shape"
