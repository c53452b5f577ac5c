"""Saved areas: a jurisdiction's own, versioned for good, and never behind an alert's back."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx2
import pytest
import shapely

from services.geofence.areas.workshop import lane
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.desk import Desk, open_desk, settings_for
from tests.service.geofence.test_api import layer, square
from tests.service.geofence.world import World

SAVED, RESOLVE, PREVIEW = "/v1/saved-areas", "/internal/v1/areas/resolve", "/v1/areas/preview"
MERIDEN, MIDDLETOWN = "0900946520", "0900747360"
TOWNS = layer(
    (MERIDEN, "Meriden", square(-72.8, 41.5)),
    (MIDDLETOWN, "Middletown", square(-72.7, 41.5)),
)
HERE = {"include": [{"type": "circle", "lon": -72.75, "lat": 41.55, "radius_m": 500}]}
THERE = {"include": [{"type": "circle", "lon": -72.74, "lat": 41.55, "radius_m": 900}]}
NEXT_DOOR = {"include": [{"type": "circle", "lon": -72.65, "lat": 41.55, "radius_m": 500}]}
TOWN = {"include": [{"type": "feature", "kind": "town", "code": MERIDEN}]}


@pytest.fixture
async def desk(world: World, keyrings: KeyRings) -> AsyncIterator[Desk]:
    """A replica that knows two towns."""
    url = world.database.engine.url.render_as_string(hide_password=False)
    database = ServiceDatabase("geofence", "", url, "", "")
    async with open_desk(settings_for(world.bus, database, keyrings), keyrings) as desk:
        await desk.post("/v1/layers/town", TOWNS, **desk.staff("admin"))
        yield desk


async def save(
    desk: Desk, area: Any, *, name: str = "Water works", town: str = MERIDEN,
    key: str = "", shared: bool = False,
) -> httpx2.Response:  # fmt: skip
    """Save an area as a manager of a town."""
    headers = desk.staff("manager", town=town) | {"Idempotency-Key": key or uuid.uuid4().hex}
    return await desk.post(SAVED, {"name": name, "area": area, "shared": shared}, **headers)


def nobody(self: lane.Lane) -> NoReturn:
    """Give nobody a turn."""
    raise lane.Busy


async def put(
    desk: Desk, saved: dict[str, Any], area: Any, *, etag: str | None = None,
    town: str = MERIDEN, name: str = "Water works", shared: bool = False,
) -> httpx2.Response:  # fmt: skip
    """Give a saved area a new version."""
    headers = desk.staff("manager", town=town)
    if etag is not None:
        headers["If-Match"] = etag
    body = {"name": name, "area": area, "shared": shared}
    return await desk.client.put(f"{SAVED}/{saved['saved_area_id']}", json=body, headers=headers)


async def get(desk: Desk, path: str, *, town: str = MERIDEN, role: str = "viewer") -> Any:
    """Get something as somebody of a town."""
    return await desk.client.get(f"{SAVED}{path}", headers=desk.staff(role, town=town))


async def resolve(desk: Desk, saved: dict[str, Any], town: str, **version: int) -> httpx2.Response:
    """Resolve an alert's area that is a saved one, as the dispatcher does for a town."""
    shape = {"type": "saved", "saved_area_id": saved["saved_area_id"], **version}
    return await desk.post(RESOLVE, {"area": {"include": [shape]}, "town": town},
                           **desk.dispatcher())  # fmt: skip


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """Return the status of a refusal and its name."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


@pytest.mark.shows("G7")
async def test_an_area_is_saved_listed_and_shown_with_its_geometry(desk: Desk) -> None:
    made = await save(desk, TOWN)
    assert made.status_code == 201
    assert made.headers["etag"] == '"1"'
    saved = made.json()
    assert (saved["version"], saved["newest"], saved["town"]) == (1, 1, MERIDEN)
    assert saved["area"] == TOWN
    assert saved["created_by"] == "staff:someone"
    assert [(one["kind"], one["version"]) for one in saved["layer_versions"]] == [("town", 1)]
    shown = await get(desk, f"/{saved['saved_area_id']}")
    assert shown.json() == saved
    assert shown.headers["etag"] == '"1"'
    geometry = shapely.geometry.shape(saved["geometry"])
    assert geometry.equals(shapely.box(-72.8, 41.5, -72.7, 41.6))
    listed = (await get(desk, "")).json()
    assert [one["saved_area_id"] for one in listed["saved_areas"]] == [saved["saved_area_id"]]
    assert listed["after"] is None


@pytest.mark.shows("G7")
async def test_a_new_version_leaves_the_old_one_and_what_was_made_with_it(desk: Desk) -> None:
    saved = (await save(desk, HERE)).json()
    before = (await resolve(desk, saved, MERIDEN)).json()
    assert before["digest"] == saved["digest"]
    # The layer moves under it, and it is edited; a version stays what it was.
    changed = await put(desk, saved, THERE, etag='"1"')
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json()["digest"] != saved["digest"]
    newest = (await resolve(desk, saved, MERIDEN)).json()
    first = (await resolve(desk, saved, MERIDEN, version=1)).json()
    assert newest["digest"] == changed.json()["digest"]
    assert (first["digest"], first["wkb"]) == (before["digest"], before["wkb"])
    shown = (await get(desk, f"/{saved['saved_area_id']}/versions/1")).json()
    assert shown == saved | {"newest": 2}


@pytest.mark.shows("G7")
async def test_a_version_outlives_the_layer_it_was_made_with(desk: Desk) -> None:
    saved = (await save(desk, TOWN)).json()
    moved = layer((MERIDEN, "Meriden", square(-72.9, 41.5)))
    await desk.post("/v1/layers/town", moved, **desk.staff("admin"))
    again = (await resolve(desk, saved, MERIDEN)).json()
    assert again["digest"] == saved["digest"]
    assert [(one["kind"], one["version"]) for one in again["layer_versions"]] == [("town", 1)]


@pytest.mark.shows("G7", "S10")
async def test_another_town_sees_and_uses_what_is_shared_alone(desk: Desk) -> None:
    own = (await save(desk, HERE)).json()
    shared = (await save(desk, THERE, name="For all", shared=True)).json()
    listed = (await get(desk, "", town=MIDDLETOWN)).json()["saved_areas"]
    assert [one["saved_area_id"] for one in listed] == [shared["saved_area_id"]]
    for path in (f"/{own['saved_area_id']}", f"/{own['saved_area_id']}/versions/1"):
        assert problem(await get(desk, path, town=MIDDLETOWN)) == (404, "not-found")
        assert (await get(desk, path)).status_code == 200
        assert (await get(desk, path, town="*")).status_code == 200
    for path in (f"/{shared['saved_area_id']}", f"/{shared['saved_area_id']}/versions/1"):
        assert (await get(desk, path, town=MIDDLETOWN)).json()["digest"] == shared["digest"]
    assert problem(await resolve(desk, own, MIDDLETOWN)) == (422, "unknown-saved-area")
    assert (await resolve(desk, own, "*")).json()["digest"] == own["digest"]
    assert (await resolve(desk, shared, MIDDLETOWN)).json()["digest"] == shared["digest"]
    # What is shared is shared to be used, not to be changed.
    assert problem(await put(desk, shared, HERE, etag='"1"', town=MIDDLETOWN)) == (403, "not-yours")
    assert problem(await put(desk, own, HERE, etag='"1"', town=MIDDLETOWN)) == (404, "not-found")
    for saved, refused in ((shared, (403, "not-yours")), (own, (404, "not-found"))):
        headers = desk.staff("manager", town=MIDDLETOWN)
        answer = await desk.client.delete(f"{SAVED}/{saved['saved_area_id']}", headers=headers)
        assert problem(answer) == refused
    taken_back = await put(desk, shared, THERE, etag='"1"', name="For all")
    assert taken_back.status_code == 200
    assert problem(await resolve(desk, shared, MIDDLETOWN)) == (422, "unknown-saved-area")


@pytest.mark.shows("S05", "S10")
async def test_whoever_names_no_town_uses_what_is_shared_alone(desk: Desk) -> None:
    own = (await save(desk, HERE)).json()
    shared = (await save(desk, THERE, name="For all", shared=True)).json()
    for saved, status in ((own, 422), (shared, 200)):
        area = {"include": [{"type": "saved", "saved_area_id": saved["saved_area_id"]}]}
        answer = await desk.post(RESOLVE, {"area": area}, **desk.dispatcher())
        assert answer.status_code == status
        preview = await desk.post(PREVIEW, {"area": area}, **desk.staff("manager", town=MIDDLETOWN))
        assert preview.status_code == status


@pytest.mark.shows("G7", "S11", "bad:A12", "bad:A13")
async def test_an_area_lies_in_the_jurisdiction_it_is_saved_for(desk: Desk) -> None:
    over = {"include": [{"type": "circle", "lon": -72.7, "lat": 41.55, "radius_m": 100}]}
    both = {"include": [{"type": "feature", "kind": "town", "code": one}
                        for one in (MERIDEN, MIDDLETOWN)]}  # fmt: skip
    for area in (NEXT_DOOR, over, both):
        assert problem(await save(desk, area)) == (403, "outside-jurisdiction")
    saved = (await save(desk, HERE)).json()
    for town in (MERIDEN, "*"):
        answer = await put(desk, saved, over, etag='"1"', town=town)
        assert problem(answer) == (403, "outside-jurisdiction")
    assert (await save(desk, both, town="*")).status_code == 201
    # Where nobody knows the boundary, nothing can be said to lie in it.
    answer = await save(desk, HERE, town="0900302060")
    assert problem(answer) == (422, "town-boundary-missing")
    assert (await get(desk, "", town="0900302060")).json()["saved_areas"] == []


@pytest.mark.shows("G7")
async def test_a_town_known_by_its_other_code_is_the_same_town(desk: Desk) -> None:
    assert (await save(desk, HERE, town="0917046520")).status_code == 201
    assert problem(await save(desk, NEXT_DOOR, town="0917046520"))[0] == 403


@pytest.mark.shows("G7")
async def test_a_name_is_one_areas_of_a_jurisdiction(desk: Desk) -> None:
    first = (await save(desk, HERE, name="Dam")).json()
    assert problem(await save(desk, THERE, name="  dAM ")) == (409, "name-taken")
    assert (await save(desk, NEXT_DOOR, name="Dam", town=MIDDLETOWN)).status_code == 201
    second = (await save(desk, HERE, name="Mill")).json()
    assert problem(await put(desk, second, HERE, etag='"1"', name="Dam")) == (409, "name-taken")
    assert (await put(desk, first, HERE, etag='"1"', name="DAM")).status_code == 200
    headers = desk.staff("manager", town=MERIDEN)
    for _ in range(2):
        gone = await desk.client.delete(f"{SAVED}/{first['saved_area_id']}", headers=headers)
        assert gone.status_code == 204
    assert (await save(desk, HERE, name="Dam")).status_code == 201


@pytest.mark.shows("G7")
async def test_an_archived_area_is_read_and_used_no_more(desk: Desk) -> None:
    saved = (await save(desk, HERE)).json()
    headers = desk.staff("manager", town=MERIDEN)
    await desk.client.delete(f"{SAVED}/{saved['saved_area_id']}", headers=headers)
    assert (await get(desk, "")).json()["saved_areas"] == []
    for version in ({}, {"version": 1}):
        answer = await resolve(desk, saved, MERIDEN, **version)
        assert problem(answer) == (422, "unknown-saved-area")
    assert problem(await put(desk, saved, HERE, etag='"1"')) == (404, "not-found")
    shown = (await get(desk, f"/{saved['saved_area_id']}")).json()
    assert (shown["archived"], shown["digest"]) == (True, saved["digest"])


@pytest.mark.shows("G7", "bad:U28")
async def test_a_change_names_the_version_it_was_made_on(desk: Desk) -> None:
    saved = (await save(desk, HERE)).json()
    assert problem(await put(desk, saved, THERE)) == (428, "if-match-required")
    assert problem(await put(desk, saved, THERE, etag='"7"')) == (412, "precondition-failed")
    assert problem(await put(desk, saved, THERE, etag="7")) == (400, "if-match-invalid")
    assert (await put(desk, saved, THERE, etag="*")).json()["version"] == 2
    both = await asyncio.gather(*(put(desk, saved, HERE, etag='"2"') for _ in range(2)))
    assert sorted(one.status_code for one in both) == [200, 412]
    assert problem(await put(desk, {"saved_area_id": uuid.uuid4()}, HERE, etag='"1"'))[0] == 404


@pytest.mark.shows("G7", "bad:J26")
async def test_saving_again_with_the_same_key_is_one_area(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await save(desk, HERE, key="once")
    # While others have every turn, what was answered once is answered still.
    with monkeypatch.context() as full:
        full.setattr(lane.Lane, "turn", nobody)
        assert problem(await save(desk, HERE, key="other")) == (503, "too-busy")
        again = await save(desk, HERE, key="once")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert problem(await save(desk, THERE, key="once")) == (422, "idempotency-key-reused")
    body = {"name": "No key", "area": HERE}
    answer = await desk.post(SAVED, body, **desk.staff("manager", town=MERIDEN))
    assert problem(answer) == (428, "idempotency-key-required")
    assert len((await get(desk, "")).json()["saved_areas"]) == 1


@pytest.mark.shows("G7", "bad:J23")
async def test_a_list_is_read_page_by_page(desk: Desk) -> None:
    made = [(await save(desk, HERE, name=f"No. {n}")).json()["saved_area_id"] for n in range(5)]
    seen: list[str] = []
    after = ""
    while True:
        page = (await get(desk, f"?limit=2{after}")).json()
        seen += [one["saved_area_id"] for one in page["saved_areas"]]
        if page["after"] is None:
            break
        after = f"&after={page['after']}"
    assert seen == made
    for query in ("?limit=0", "?limit=1001", "?after=7"):
        assert problem(await get(desk, query)) == (422, "invalid")
    for version in ("0", "2", "x", "99999999999999999999"):
        answer = await get(desk, f"/{made[0]}/versions/{version}")
        assert problem(answer) == (404, "not-found")


@pytest.mark.shows("S05", "S12", "S33")
@pytest.mark.parametrize(
    ("body", "slug", "pointer"),
    [
        ({"name": "A"}, "area-required", "/area"),
        ({"name": "A", "area": {}}, "area-required", "/area"),
        ({"name": "A", "area": {"exclude": HERE["include"]}}, "include-required", "/area/include"),
        ({"name": "A", "area": {"include": [{"type": "feature", "kind": "town", "code": "7"}]}},
         "unknown-feature", "/area/include/0/code"),
        ({"area": HERE}, "invalid", "/name"),
        ({"name": " ", "area": HERE}, "invalid", "/name"),
        ({"name": "x" * 101, "area": HERE}, "invalid", "/name"),
        ({"name": "a\u202eb", "area": HERE}, "invalid", "/name"),
        ({"name": "A", "area": HERE, "town": "*"}, "invalid", "/town"),
    ],
    ids=["none", "empty", "only-exclude", "unknown", "nameless", "blank", "long", "turned",
         "privileged"],
)  # fmt: skip
async def test_what_cannot_be_saved_is_a_problem(
    long_desk: Desk, body: dict[str, Any], slug: str, pointer: str
) -> None:
    await long_desk.post("/v1/layers/town", TOWNS, **long_desk.staff("admin"))
    headers = long_desk.staff("manager", town=MERIDEN) | {"Idempotency-Key": "k"}
    answer = await long_desk.post(SAVED, body, **headers)
    assert problem(answer) == (422, slug)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await get(long_desk, "")).json()["saved_areas"] == []
