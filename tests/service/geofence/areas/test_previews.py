"""What a preview says of an area: whom it holds, whom it concerns, and how much of it is told."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import shapely

from shared.events.subscriber import Place, PlaceChanged, Reach
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.desk import Desk, open_desk, settings_for
from tests.service.geofence.parts import eventually
from tests.service.geofence.test_api import layer, square
from tests.service.geofence.world import World

PREVIEW, RESOLVE = "/v1/areas/preview", "/internal/v1/areas/resolve"
# Towns with the populations of the gazetteer, on fields of our own around their middles.
MERIDEN, MIDDLETOWN, EAST_HAMPTON = "0900946520", "0900747360", "0900722490"
MIDDLEFIELD = "0900747080"
PEOPLE = {MERIDEN: 60_794, MIDDLETOWN: 47_676, EAST_HAMPTON: 12_709, MIDDLEFIELD: 4_217}
TOWNS = layer(
    (MERIDEN, "Meriden", square(-72.8, 41.5)),
    (MIDDLETOWN, "Middletown", square(-72.7, 41.5)),
    (EAST_HAMPTON, "East Hampton", square(-72.57, 41.5)),
)


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """Return an area of one box."""
    geometry = shapely.geometry.mapping(shapely.box(west, south, east, north))
    ring = [[x, y] for x, y in geometry["coordinates"][0]]
    return {
        "include": [{"type": "geojson", "geometry": {"type": "Polygon", "coordinates": [ring]}}]
    }


MERIDENS = box(-72.8, 41.5, -72.7, 41.6)
# Half of Meriden, a hundredth of Middletown.
ACROSS = box(-72.75, 41.5, -72.699, 41.6)


def resident(language: str, *spots: tuple[float, float], uncertainty_m: float = 0) -> PlaceChanged:
    """Make somebody who is reached by text alone."""
    return PlaceChanged(
        subscriber_id=uuid.uuid4(),
        version=1,
        places=tuple(
            Place(place_id=uuid.uuid4(), lon=lon, lat=lat, uncertainty_m=uncertainty_m)
            for lon, lat in spots
        ),
        reach=Reach(channels=1, language=language),
    )


# In Meriden 14 people of whom two speak Spanish, in Middletown's near corner two of them again.
ROSTER = [
    *(resident("en-US", (-72.74 + n / 1_000, 41.55)) for n in range(10)),
    *(resident("en-US", (-72.74, 41.56), (-72.6995, 41.56)) for _ in range(2)),
    *(resident("es", (-72.74, 41.57)) for _ in range(2)),
    resident("en-US", (-72.6989, 41.57), uncertainty_m=100),
    resident("en-US", (-72.55, 41.55)),
]


@asynccontextmanager
async def opened(world: World, keyrings: KeyRings, **settings: Any) -> AsyncIterator[Desk]:
    """Open a replica on the world's database and bus."""
    url = world.database.engine.url.render_as_string(hide_password=False)
    given = settings_for(world.bus, ServiceDatabase("geofence", "", url, "", ""), keyrings)
    async with open_desk(given.model_copy(update=settings), keyrings) as desk:
        yield desk


@pytest.fixture
async def desk(world: World, keyrings: KeyRings) -> AsyncIterator[Desk]:
    """A replica that knows three towns and nobody."""
    async with opened(world, keyrings) as desk:
        await desk.post("/v1/layers/town", TOWNS, **desk.staff("admin"))
        yield desk


async def preview(
    desk: Desk, area: dict[str, Any], *, role: str = "manager", **more: Any
) -> httpx2.Response:
    """Ask for a preview."""
    return await desk.post(PREVIEW, {"area": area, **more}, **desk.staff(role))


async def settled(desk: Desk, world: World) -> None:
    """Return when the replica knows everybody."""
    await world.send(*ROSTER)

    async def all_known() -> bool:
        seen = await preview(desk, box(-72.9, 41.4, -72.4, 41.7))
        return bool(seen.json()["people"] == len(ROSTER))

    await eventually(all_known)


@pytest.mark.shows("M12", "G9", "G10", "G13")
async def test_a_manager_sees_whom_an_area_holds(desk: Desk, world: World) -> None:
    await settled(desk, world)
    seen = (await preview(desk, ACROSS)).json()
    assert (seen["people"], seen["places"], seen["by_uncertainty"]) == (15, 16, 1)
    assert seen["by_channel"] == {"sms": 15, "voice": 0, "email": 0}
    # In fives, and of two people only that there are some.
    assert seen["by_language"] == {"en-US": 15, "es": None}
    middletown, meriden = seen["towns"]
    assert (meriden["code"], meriden["name"]) == (MERIDEN, "Meriden")
    assert (meriden["share"], middletown["share"]) == (0.5, 0.01)
    assert (meriden["people"], middletown["people"]) == (15, None)
    half = round(PEOPLE[MERIDEN] / 2)
    assert (meriden["residents"], middletown["residents"]) == (half, 477)
    assert meriden["reach"] == round(15 / (PEOPLE[MERIDEN] / 2), 3)
    assert middletown["reach"] is None
    assert seen["residents"] == round(PEOPLE[MERIDEN] / 2 + PEOPLE[MIDDLETOWN] / 100)
    assert seen["reach"] == round(15 / (PEOPLE[MERIDEN] / 2 + PEOPLE[MIDDLETOWN] / 100), 3)
    assert [(one["kind"], one["code"]) for one in seen["jurisdictions"]] == [
        ("town", MIDDLETOWN),
        ("town", MERIDEN),
    ]
    assert seen["slivers"] == [{"code": MIDDLETOWN, "name": "Middletown", "share": 0.01}]
    assert seen["vertices"] == 5
    assert seen["outline"] is None


@pytest.mark.shows("S14", "M12")
async def test_a_viewer_is_told_no_small_numbers(desk: Desk, world: World) -> None:
    await settled(desk, world)
    few = box(-72.7, 41.5, -72.699, 41.6)
    exact = (await preview(desk, few)).json()
    assert (exact["people"], exact["places"], exact["by_uncertainty"]) == (3, 2, 1)
    coarse = (await preview(desk, few, role="viewer")).json()
    assert (coarse["people"], coarse["places"], coarse["by_uncertainty"]) == (None, None, None)
    assert coarse["by_channel"] == {"sms": None, "voice": 0, "email": 0}
    assert coarse["reach"] is None
    many = (await preview(desk, MERIDENS, role="viewer")).json()
    # Fourteen, and told as fifteen.
    assert (many["people"], many["by_channel"]["sms"]) == (15, 15)
    for same in ("digest", "residents", "jurisdictions", "area_km2", "by_language", "towns"):
        assert many[same] == (await preview(desk, MERIDENS)).json()[same]


@pytest.mark.shows("S14", "M12")
async def test_a_manager_is_told_small_numbers_of_their_own_town_alone(
    desk: Desk, world: World
) -> None:
    """Or a house anywhere could be asked about, one after the other."""
    await settled(desk, world)

    async def people(area: dict[str, Any], *, town: str) -> tuple[int | None, int | None]:
        headers = desk.staff("manager", town=town)
        seen = (await desk.post(PREVIEW, {"area": area}, **headers)).json()
        return seen["people"], seen["by_channel"]["sms"]

    house = box(-72.7311, 41.5499, -72.7309, 41.5501)
    across = box(-72.74, 41.5695, -72.69, 41.5705)
    for town in (MERIDEN, "*"):
        assert await people(house, town=town) == (1, 1)
        assert await people(MERIDENS, town=town) == (15, 15)
    assert await people(house, town=MIDDLETOWN) == (None, None)
    # What reaches into another town is told as to a viewer, whoever of them asks.
    assert await people(across, town="*") == (3, 3)
    assert await people(across, town=MERIDEN) == (None, None)
    assert await people(across, town=MIDDLETOWN) == (None, None)
    # The dispatcher counts for whoever types it back, and asks whose town it is first.
    answer = (await desk.post(RESOLVE, {"area": house}, **desk.dispatcher())).json()
    assert answer["estimate"]["people"] == 1


@pytest.mark.shows("G13", "M19")
async def test_neighbours_are_named_and_not_entered(desk: Desk) -> None:
    seen = (await preview(desk, MERIDENS)).json()
    assert [one["code"] for one in seen["jurisdictions"]] == [MERIDEN]
    assert seen["neighbours"] == [
        {"kind": "town", "code": MIDDLETOWN, "name": "Middletown", "distance_m": 0.0}
    ]
    assert seen["slivers"] == []
    # 0.05 degrees to East Hampton are 4.2 km here, from Meriden it was 10.8.
    nearer = (await preview(desk, box(-72.7, 41.5, -72.62, 41.6))).json()
    assert [one["code"] for one in nearer["jurisdictions"]] == [MIDDLETOWN]
    near = {one["code"]: one["distance_m"] for one in nearer["neighbours"]}
    assert near == {MERIDEN: 0.0, EAST_HAMPTON: pytest.approx(4_167, abs=5)}


@pytest.mark.shows("M19")
async def test_other_jurisdictions_are_named_where_they_are_imported(desk: Desk) -> None:
    tribe = layer(("T1", "A nation", square(-72.79, 41.51, 0.01)),
                  ("T2", "A campus", square(-72.75, 41.61, 0.01)))  # fmt: skip
    await desk.post("/v1/layers/jurisdiction", tribe, **desk.staff("admin"))
    seen = (await preview(desk, MERIDENS)).json()
    assert [(one["kind"], one["code"]) for one in seen["jurisdictions"]] == [
        ("town", MERIDEN),
        ("jurisdiction", "T1"),
    ]
    assert [(one["kind"], one["code"]) for one in seen["neighbours"]] == [
        ("town", MIDDLETOWN),
        ("jurisdiction", "T2"),
    ]
    answer = (await desk.post(RESOLVE, {"area": MERIDENS}, **desk.dispatcher())).json()
    assert answer["jurisdictions"] == seen["jurisdictions"]
    assert answer["neighbours"] == seen["neighbours"]
    assert answer["estimate"]["residents"] == PEOPLE[MERIDEN]


@pytest.mark.shows("G6")
async def test_a_new_layer_is_seen_by_the_next_preview(desk: Desk) -> None:
    assert (await preview(desk, MERIDENS)).json()["residents"] == PEOPLE[MERIDEN]
    moved = layer((MIDDLEFIELD, "Middlefield", square(-72.8, 41.5)))
    await desk.post("/v1/layers/town", moved, **desk.staff("admin"))
    seen = (await preview(desk, MERIDENS)).json()
    assert [one["code"] for one in seen["towns"]] == [MIDDLEFIELD]
    assert seen["residents"] == PEOPLE[MIDDLEFIELD]
    await desk.post("/v1/layers/town", TOWNS, **desk.staff("admin"))
    assert (await preview(desk, MERIDENS)).json()["residents"] == PEOPLE[MERIDEN]


async def test_where_no_population_is_known_nothing_is_estimated(
    world: World, keyrings: KeyRings
) -> None:
    async with opened(world, keyrings) as desk:
        nothing = (await preview(desk, MERIDENS)).json()
        assert (nothing["towns"], nothing["residents"], nothing["reach"]) == ([], None, None)
        assert (nothing["jurisdictions"], nothing["neighbours"]) == ([], [])
        nameless = layer((MERIDEN, "Meriden", square(-72.8, 41.5)),
                         ("7", "Gondor", square(-72.7, 41.5)))  # fmt: skip
        await desk.post("/v1/layers/town", nameless, **desk.staff("admin"))
        seen = (await preview(desk, ACROSS)).json()
        assert [one["residents"] for one in seen["towns"]] == [round(PEOPLE[MERIDEN] / 2), None]
        assert (seen["residents"], seen["reach"]) == (None, None)
        alone = (await preview(desk, MERIDENS)).json()
        assert alone["residents"] == PEOPLE[MERIDEN]


@pytest.mark.shows("G4", "G5")
async def test_an_outline_is_drawn_and_nobody_is_chosen_by_it(desk: Desk, world: World) -> None:
    await settled(desk, world)
    round_area = {"include": [{"type": "circle", "lon": -72.735, "lat": 41.55, "radius_m": 1_000}]}
    plain = (await preview(desk, round_area)).json()
    drawn = (await preview(desk, round_area, outline=8)).json()
    outline = drawn.pop("outline")
    assert drawn == {name: value for name, value in plain.items() if name != "outline"}
    shape = shapely.geometry.shape(outline["geometry"])
    assert outline["vertices"] == shapely.get_num_coordinates(shape) == 8
    answer = (await desk.post(RESOLVE, {"area": round_area}, **desk.dispatcher())).json()
    assert answer["digest"] == plain["digest"]
    assert 0.05 < outline["growth"] < 0.2
    around = (await preview(desk, {"include": [
        {"type": "geojson", "geometry": outline["geometry"]}]})).json()  # fmt: skip
    assert around["area_km2"] == pytest.approx(
        plain["area_km2"] * (1 + outline["growth"]), rel=1e-3
    )
    for wrong in (7, 5_001, "8", True):
        assert (await preview(desk, round_area, outline=wrong)).status_code == 422


@pytest.mark.shows("G5")
async def test_what_is_drawn_comes_back_to_the_last_digit(desk: Desk) -> None:
    ring = [
        [-72.7512345678901, 41.5512345678901],
        [-72.7412345678902, 41.5512345678903],
        [-72.7412345678904, 41.5612345678905],
        [-72.7512345678901, 41.5512345678901],
    ]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    area = {"include": [{"type": "geojson", "geometry": geometry}]}
    drawn = (await preview(desk, area, outline=8)).json()["outline"]["geometry"]
    assert shapely.geometry.shape(drawn).equals(shapely.geometry.shape(geometry))
    headers = desk.staff("manager") | {"Idempotency-Key": "once"}
    saved = await desk.post("/v1/saved-areas", {"name": "Exact", "area": area}, **headers)
    assert saved.json()["area"] == area
    back = shapely.geometry.shape(saved.json()["geometry"])
    assert sorted(shapely.get_coordinates(back).tolist()) == sorted(ring)


@pytest.mark.shows("S43", "bad:J27")
async def test_a_burst_of_previews_is_braked_by_whoever_asks(
    world: World, keyrings: KeyRings
) -> None:
    async with opened(world, keyrings, previews_a_minute=3) as desk:
        statuses = [(await preview(desk, MERIDENS)).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        refused = await preview(desk, MERIDENS)
        assert refused.json()["type"] == "urn:ct-alert:problem:too-many-requests"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        other = await desk.post(
            PREVIEW, {"area": MERIDENS}, **desk.staff("manager", subject="another")
        )
        assert other.status_code == 200
        # An alert that waits for its area is never braked.
        answer = await desk.post(RESOLVE, {"area": MERIDENS}, **desk.dispatcher())
        assert answer.status_code == 200
