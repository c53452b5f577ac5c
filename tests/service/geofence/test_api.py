"""The geofence's HTTP: layers in, areas previewed and resolved, everything bad a problem."""

import hashlib
import json
import uuid
import zlib
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import shapely

from services.geofence.service import assemble
from shared.bus.kafka.bus import Bus
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.desk import Desk, open_desk, settings_for
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.world import INSIDE, World, approved, place_changed

CIRCLE = {"include": [{"type": "circle", "lon": -72.7, "lat": 41.6, "radius_m": 2_000}]}
PREVIEW, RESOLVE = "/v1/areas/preview", "/internal/v1/areas/resolve"


def square(west: float, south: float, size: float = 0.1) -> list[list[float]]:
    east, north = west + size, south + size
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def layer(*towns: tuple[str, str, list[list[float]]]) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"geoid": code, "name": name},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
            for code, name, ring in towns
        ],
    }


TOWNS = layer(
    ("1", "Westfield", square(-72.8, 41.5)),
    ("2", "Eastfield", square(-72.7, 41.5)),
    ("3", "Twin", square(-72.5, 41.5)),
    ("4", "Twin", square(-72.3, 41.5)),
)


@pytest.fixture
async def desk(world: World, keyrings: KeyRings) -> AsyncIterator[Desk]:
    """A replica whose database and bus are the world's."""
    url = world.database.engine.url.render_as_string(hide_password=False)
    database = ServiceDatabase("geofence", "", url, "", "")
    async with open_desk(settings_for(world.bus, database, keyrings), keyrings) as desk:
        yield desk


@pytest.mark.shows("G6")
async def test_layers_are_imported_listed_and_asked(desk: Desk) -> None:
    admin = desk.staff("admin")
    first = await desk.post("/v1/layers/town", TOWNS, **admin)
    assert (first.status_code, first.json()["version"]) == (201, 1)
    assert first.json()["features"] == 4
    again = await desk.post("/v1/layers/town", TOWNS, **admin)
    assert (again.status_code, again.json()["version"]) == (200, 1)
    moved = layer(("1", "Westfield", square(-72.9, 41.5)))
    second = await desk.post("/v1/layers/town", moved, **admin)
    assert (second.json()["version"], second.json()["current"]) == (2, True)
    back = await desk.post("/v1/layers/town", TOWNS, **admin)
    assert (back.json()["version"], back.json()["current"]) == (1, True)
    listed = (await desk.get("/v1/layers")).json()
    assert [(one["version"], one["current"]) for one in listed] == [(2, False), (1, True)]
    where = (await desk.get("/v1/layers/town/locate", lon=-72.75, lat=41.55)).json()
    assert where == {"code": "1", "name": "Westfield"}
    nowhere = (await desk.get("/v1/layers/town/locate", lon=-72.0, lat=41.0)).json()
    assert nowhere == {"code": None, "name": None}
    found = (await desk.get("/v1/layers/town/features", name="eastFIELD")).json()
    assert [one["properties"]["code"] for one in found["features"]] == ["2"]
    assert shapely.geometry.shape(found["features"][0]["geometry"]).area > 0
    none = (await desk.get("/v1/layers/psap/features")).json()
    assert none["features"] == []


@pytest.mark.shows("G2")
async def test_a_bad_layer_is_a_problem_with_its_report(desk: Desk) -> None:
    crossed = [[-72.8, 41.5], [-72.6, 41.7], [-72.6, 41.5], [-72.8, 41.7], [-72.8, 41.5]]
    answer = await desk.post("/v1/layers/town", layer(("9", "X", crossed)), **desk.staff("admin"))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:ct-alert:problem:layer-invalid"
    assert answer.json()["errors"][0]["pointer"] == "/features/0/geometry/coordinates/0/0"
    assert (await desk.get("/v1/layers")).json() == []


@pytest.mark.shows("G2", "C17")
async def test_a_layer_with_a_code_on_another_towns_outline_is_a_problem(desk: Desk) -> None:
    middletown = ("0900747360", "Middletown", square(-72.7, 41.5))
    good = await desk.post("/v1/layers/town", layer(middletown), **desk.staff("admin"))
    assert good.status_code == 201
    elsewhere = layer(middletown, ("0900540290", "Kent", square(-72.8, 41.5)))
    answer = await desk.post("/v1/layers/town", elsewhere, **desk.staff("admin"))
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["code"], fault["pointer"]) == ("code-elsewhere", "/features/1")
    assert [one["version"] for one in (await desk.get("/v1/layers")).json()] == [1]


async def test_a_layer_that_is_no_json_or_of_no_kind(desk: Desk) -> None:
    headers = desk.staff("admin") | {"Content-Type": "application/geo+json"}
    bad = await desk.client.post("/v1/layers/town", content=b"{", headers=headers)
    assert (bad.status_code, bad.json()["errors"][0]["code"]) == (400, "malformed-json")
    media = await desk.client.post(
        "/v1/layers/town", content=b"{}", headers=headers | {"Content-Type": "text/plain"}
    )
    assert media.status_code == 415
    kind = await desk.post("/v1/layers/galaxy", TOWNS, **desk.staff("admin"))
    assert kind.status_code == 404
    assert (await desk.get("/v1/layers/town/locate", lon="x", lat=1)).status_code == 422
    assert (await desk.get("/v1/layers/town/locate", lon=-72, lat=41)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", PREVIEW, "manager"),
        ("POST", RESOLVE, "service"),
        ("POST", "/v1/layers/town", "admin"),
        ("GET", "/v1/layers", "manager"),
        ("GET", "/v1/layers/town/features", "manager"),
        ("GET", "/v1/layers/town/locate?lon=-72&lat=41", "manager"),
    ],
)
async def test_every_route_asks_who(long_desk: Desk, method: str, path: str, allowed: str) -> None:
    nobody = await long_desk.client.request(method, path, json={})
    assert nobody.status_code == 401
    other = "viewer" if path in (RESOLVE, "/v1/layers/town") else "resident"
    wrong = await long_desk.client.request(method, path, json={}, headers=long_desk.staff(other))
    assert wrong.status_code == 403
    right = long_desk.dispatcher() if allowed == "service" else long_desk.staff(allowed)
    assert (await long_desk.client.request(method, path, json={}, headers=right)).status_code != 403


async def test_preview_counts_people_places_and_channels(desk: Desk, world: World) -> None:
    await world.send(
        place_changed(uuid.uuid4(), 1, INSIDE, (-72.7001, 41.6)),
        place_changed(uuid.uuid4(), 1, INSIDE),
        place_changed(uuid.uuid4(), 1, (-72.7, 41.7)),
    )
    async with running(world.tail()):
        await world.roster.loaded.wait()
        await world.indexed()

    async def seen() -> bool:
        answer = await desk.post(PREVIEW, {"area": CIRCLE}, **desk.staff("manager"))
        return bool(answer.json()["people"] == 2)

    await eventually(seen)
    answer = (await desk.post(PREVIEW, {"area": CIRCLE}, **desk.staff("manager"))).json()
    assert (answer["people"], answer["places"], answer["by_uncertainty"]) == (2, 3, 0)
    assert answer["by_channel"] == {"sms": 2, "voice": 2, "email": 2}
    assert answer["area_km2"] == pytest.approx(12.57, abs=0.01)
    west, south, east, north = answer["bounds"]
    assert west < -72.7 < east
    assert south < 41.6 < north


async def test_the_resolved_area_is_signed_and_its_digest_is_of_the_wkb(
    desk: Desk, world: World
) -> None:
    await desk.post("/v1/layers/town", TOWNS, **desk.staff("admin"))
    area = {
        "include": [
            {"type": "feature", "kind": "town", "name": "westfield"},
            {"type": "feature", "kind": "town", "code": "2"},
        ]
    }
    beside = [{"scheme": "SAME", "value": code} for code in ("009001", "036061")]
    area["beside"] = [{"type": "geocode", **one} for one in beside]
    response = await desk.post(RESOLVE, {"area": area}, **desk.dispatcher())
    assert response.status_code == 200
    answer = response.json()
    assert answer["beside"] == [{**beside[0], "known": True}, {**beside[1], "known": False}]
    signed = {name: value for name, value in answer.items() if name != "signature"}
    world.dispatcher_keys.verifier.verify(
        producer="geofence",
        key_id=answer["key_id"],
        signature=answer["signature"],
        data=orjson.dumps(signed, option=orjson.OPT_SORT_KEYS),
    )
    wkb = zlib.decompress(b64decode(answer["wkb"]))
    assert hashlib.sha256(wkb).hexdigest() == answer["digest"]
    geometry = shapely.from_wkb(wkb)
    assert geometry.symmetric_difference(shapely.box(-72.8, 41.5, -72.6, 41.6)).area < 1e-12
    assert [one["code"] for one in answer["jurisdictions"]] == ["1", "2"]
    assert [(one["kind"], one["version"]) for one in answer["layer_versions"]] == [("town", 1)]
    assert answer["estimate"]["people"] == 0


@pytest.mark.parametrize(
    ("area", "slug", "pointer"),
    [
        pytest.param(None, "area-required", "/area", marks=pytest.mark.shows("bad:A01")),
        pytest.param({}, "area-required", "/area", marks=pytest.mark.shows("bad:A01")),
        pytest.param(
            {"include": [{"type": "feature", "kind": "town", "code": "77"}]},
            "unknown-feature",
            "/area/include/0/code",
            marks=pytest.mark.shows("bad:A17"),
        ),
        pytest.param(
            {"include": [{"type": "feature", "kind": "zip", "code": "06103"}]},
            "unknown-layer",
            "/area/include/0/kind",
            marks=pytest.mark.shows("bad:A17"),
        ),
        ({"include": [{"type": "feature", "kind": "town", "name": "Twin"}]},
         "ambiguous-name", "/area/include/0/name"),
        (
            {"include": [{"type": "geojson", "geometry": {"type": "Polygon", "coordinates": []}}]},
            "empty-geometry",
            "/area/include/0/geometry/coordinates",
        ),
    ],
)  # fmt: skip
@pytest.mark.shows("S05")
async def test_a_bad_area_is_a_problem_at_both_doors(
    long_desk: Desk, area: Any, slug: str, pointer: str
) -> None:
    await long_desk.post("/v1/layers/town", TOWNS, **long_desk.staff("admin"))
    for path, headers in ((PREVIEW, long_desk.staff("manager")), (RESOLVE, long_desk.dispatcher())):
        answer = await long_desk.post(path, {"area": area}, **headers)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:ct-alert:problem:{slug}"
        assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.shows("S31", "bad:A07", "bad:A08", "bad:A14")
async def test_bombs_are_refused_with_the_service_alive(desk: Desk) -> None:
    headers = desk.staff("manager") | {"Content-Type": "application/json"}
    nested = '{"type":"GeometryCollection","geometries":[' * 1_000 + "]}" * 1_000
    million = json.dumps([[-72.7, 41.6]] * 1_000_000)
    for body, status in (
        (f'{{"area":{{"include":[{{"type":"geojson","geometry":{nested}}}]}}}}', 400),
        (f'{{"area":{{"include":[{million}]}}}}', 413),
        ('{"area":{"include":[{"type":"circle","lon":1e309,"lat":0,"radius_m":1}]}}', 422),
        ('{"area":{"include":[{"type":"circle","lon":NaN,"lat":0,"radius_m":1}]}}', 422),
        ('{"area":', 400),
        ("", 400),
    ):
        answer = await desk.client.post(PREVIEW, content=body, headers=headers)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
    good = await desk.post(PREVIEW, {"area": CIRCLE}, **desk.staff("manager"))
    assert good.status_code == 200


@pytest.mark.shows("G8")
async def test_all_roles_together_from_the_roster_to_the_audience(
    world: World, keyrings: KeyRings, bus: Bus
) -> None:
    url = world.database.engine.url.render_as_string(hide_password=False)
    settings = settings_for(bus, ServiceDatabase("geofence", "", url, "", ""), keyrings)
    roles = [await assemble(name, settings) for name in ("replica", "places", "relay")]
    before, after = uuid.uuid4(), uuid.uuid4()
    alert = approved()
    async with running(*(part for role in roles for part in role.parts)):
        await world.send(place_changed(before, 1, INSIDE))
        await world.kept()
        await world.send(alert)

        async def completed() -> bool:
            return bool((await world.heard(alert)).completed)

        await eventually(completed)
        await world.send(place_changed(after, 1, INSIDE))
        await world.kept()
        await world.relayed()
    for role in roles:
        await role.closing.aclose()
    audience = await world.heard(alert)
    assert audience.members(late=False) == {before}
    assert audience.members(late=True) == {after}


async def test_there_is_no_other_role() -> None:
    with pytest.raises(ValueError, match="no role"):
        await assemble("api")
