"""A missing, empty, garbled or half-right area is refused at every door, and kept nowhere."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import orjson
import pytest

from tests.contract.apis.desk import Apis, enrol
from tests.contract.apis.test_problems import check
from tests.servers import ServiceDatabase
from tests.service.dispatcher.alerts.cap.cap_messages import info, message
from tests.service.dispatcher.alerts.desk import alert

SQUARE = [[-72.8, 41.5], [-72.7, 41.5], [-72.7, 41.6], [-72.8, 41.6], [-72.8, 41.5]]
LEFT_OUT = object()
GOOD = {"type": "circle", "lon": -72.7, "lat": 41.6, "radius_m": 500}


def drawn(geometry: Any) -> dict[str, Any]:
    """Return an area of one drawn geometry."""
    return {"include": [{"type": "geojson", "geometry": geometry}]}


def polygon(*rings: Any) -> dict[str, Any]:
    """Return an area of one polygon."""
    return drawn({"type": "Polygon", "coordinates": list(rings)})


def circle(**changes: Any) -> dict[str, Any]:
    """Return an area of one circle, changed."""
    return {"include": [{**GOOD, **changes}]}


def points(given: Any, **more: Any) -> dict[str, Any]:
    """Return an area of points."""
    return {"include": [{"type": "points", "points": given, **more}]}


def code(scheme: Any, value: Any) -> dict[str, Any]:
    """Return an area of one geocode."""
    return {"include": [{"type": "geocode", "scheme": scheme, "value": value}]}


def saved(saved_area_id: Any, **more: Any) -> dict[str, Any]:
    """Return an area of one saved area."""
    return {"include": [{"type": "saved", "saved_area_id": saved_area_id, **more}]}


AREAS: dict[str, Any] = {
    "left out": LEFT_OUT,
    "null": None,
    "empty object": {},
    "empty list": [],
    "empty text": "",
    "false": False,
    "zero": 0,
    "everywhere": "everywhere",
    "star": {"include": "*"},
    "include empty": {"include": []},
    "include null": {"include": None},
    "include object": {"include": {}},
    "include nothings": {"include": [None]},
    "include no type": {"include": [{}]},
    "all of it": {"all": True},
    "only exclude": {"exclude": [GOOD]},
    "no geometry": {"include": [{"type": "geojson"}]},
    "geometry null": drawn(None),
    "geometry empty": drawn({}),
    "geometry text": drawn("POLYGON((0 0,1 0,1 1,0 0))"),
    "polygon of nothing": polygon(),
    "ring of nothing": polygon([]),
    "ring of null": polygon(None),
    "polygon null": drawn({"type": "Polygon", "coordinates": None}),
    "polygon without": drawn({"type": "Polygon"}),
    "multipolygon of nothing": drawn({"type": "MultiPolygon", "coordinates": []}),
    "collection of nothing": drawn({"type": "FeatureCollection", "features": []}),
    "geometries of nothing": drawn({"type": "GeometryCollection", "geometries": []}),
    "feature of null": drawn({"type": "Feature", "geometry": None, "properties": {}}),
    "point": drawn({"type": "Point", "coordinates": [-72.7, 41.6]}),
    "line": drawn({"type": "LineString", "coordinates": SQUARE}),
    "not closed": polygon(SQUARE[:-1]),
    "three points": polygon([SQUARE[0], SQUARE[1], SQUARE[0]]),
    "one point": polygon([SQUARE[0]] * 4),
    "flat": polygon([SQUARE[0], SQUARE[1], SQUARE[0], SQUARE[0]]),
    "bow tie": polygon([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]),
    "hole outside": polygon(SQUARE, [[x + 1, y] for x, y in SQUARE]),
    "swapped": polygon([[y, x] for x, y in SQUARE]),
    "texts": polygon([[str(x), str(y)] for x, y in SQUARE]),
    "nulls": polygon([[None, None] for _ in SQUARE]),
    "one number": polygon([[x] for x, _ in SQUARE]),
    "three numbers": polygon([[x, y, 0] for x, y in SQUARE]),
    "round the world": polygon([[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]),
    "circle of no radius": circle(radius_m=0),
    "circle of less": circle(radius_m=-5),
    "circle of too much": circle(radius_m=100_001),
    "circle without": {"include": [{"type": "circle", "lon": -72.7, "lat": 41.6}]},
    "circle of null": circle(radius_m=None),
    "circle nowhere": circle(lon=None),
    "feature of no kind": {"include": [{"type": "feature", "kind": "state", "name": "CT"}]},
    "feature unnamed": {"include": [{"type": "feature", "kind": "town"}]},
    "feature of nulls": {"include": [{"type": "feature", "kind": "town", "code": None}]},
    "feature of blanks": {"include": [{"type": "feature", "kind": "town", "name": "  "}]},
    "feature unknown": {"include": [{"type": "feature", "kind": "town", "name": "Gondor"}]},
    "feature star": {"include": [{"type": "feature", "kind": "town", "code": "*"}]},
    "excluded whole": {"include": [GOOD], "exclude": [GOOD]},
    "excluded and more": {"include": [GOOD], "exclude": [{**GOOD, "radius_m": 600}]},
    "include empty, exclude": {"include": [], "exclude": [GOOD]},
    "include null, exclude": {"include": None, "exclude": [GOOD]},
    "exclude null": {"include": [GOOD], "exclude": None},
    "exclude nothings": {"include": [GOOD], "exclude": [None]},
    "exclude empty": {"include": [GOOD], "exclude": polygon()["include"]},
    "exclude unknown": {
        "include": [GOOD],
        "exclude": [{"type": "feature", "kind": "town", "name": "Gondor"}],
    },
    "points of none": points([]),
    "points of null": points(None),
    "points of nulls": points([[None, None]]),
    "points swapped": points([[41.6, -72.7]]),
    "points of no radius": points([[-72.7, 41.6]], radius_m=0),
    "points of a county": points([[-72.7, 41.6]], radius_m=30_000),
    "code of null": code("SAME", None),
    "code empty": code("SAME", ""),
    "code of no scheme": code(None, "009001"),
    "code of another scheme": code("STATE", "CT"),
    "code of a layer not imported": code("UGC", "CTZ010"),
    "code unknown": code("SAME", "009002"),
    "code too short": code("SAME", "9001"),
    "code star": code("SAME", "*"),
    "code of towns not imported": code("SAME", "009001"),
    "the state, towns not imported": code("SAME", "009000"),
    "the whole country": code("SAME", "000000"),
    "saved without": {"include": [{"type": "saved"}]},
    "saved null": saved(None),
    "saved star": saved("*"),
    "saved unknown": saved(str(UUID(int=7))),
    "saved of no version": saved(str(UUID(int=7)), version=0),
    "feature of no version": {
        "include": [{"type": "feature", "kind": "town", "name": "Kent", "version": 0}]
    },
    # One good shape does not carry a bad one through, whichever comes first.
    "good, then null": {"include": [GOOD, None]},
    "good, then empty": {"include": [GOOD, *polygon()["include"]]},
    "unknown, then good": {
        "include": [{"type": "feature", "kind": "town", "name": "Gondor"}, GOOD]
    },
}
MESSAGES = {
    "no area": "",
    "no shape": " ",
    "polygon empty": "<polygon></polygon>",
    "polygon blank": "<polygon> \n </polygon>",
    "polygon nan": "<polygon>41.3,-72.9 nan,-72.9 41.4,-72.8 41.3,-72.9</polygon>",
    "polygon inf": "<polygon>41.3,-72.9 inf,-72.9 41.4,-72.8 41.3,-72.9</polygon>",
    "polygon of one": "<polygon>41.3,-72.9</polygon>",
    "polygon open": "<polygon>41.3,-72.9 41.3,-72.8 41.4,-72.8 41.4,-72.9</polygon>",
    "polygon flat": "<polygon>41.3,-72.9 41.3,-72.8 41.3,-72.7 41.3,-72.9</polygon>",
    "polygon crossed": "<polygon>41.3,-72.9 41.4,-72.8 41.3,-72.8 41.4,-72.9 41.3,-72.9</polygon>",
    "polygon swapped": "<polygon>-72.9,41.3 -72.8,41.3 -72.8,41.4 -72.9,41.3</polygon>",
    "circle of none": "<circle>41.3,-72.9 0</circle>",
    "circle of less": "<circle>41.3,-72.9 -4</circle>",
    "circle blank": "<circle></circle>",
    "areaDesc alone": "<altitude>1</altitude>",
    "the whole country": "<geocode><valueName>SAME</valueName><value>000000</value></geocode>",
    "nowhere": "<geocode><valueName>SAME</valueName><value>999999</value></geocode>",
    "no code": "<geocode><valueName>SAME</valueName><value></value></geocode>",
    "good and empty": "<circle>41.3,-72.9 4</circle><polygon></polygon>",
}


@pytest.fixture
def rows(database: Callable[[str], ServiceDatabase]) -> Callable[[], Any]:
    """Count everything that an alert leaves behind, in both services' databases."""

    async def count() -> dict[str, int]:
        found = {}
        for service, tables in (
            ("dispatcher", ("alert", "broadcast", "cap_message", "outbox", "delivery")),
            ("geofence", ("live_alert", "run", "outbox")),
        ):
            url = database(service).admin_url.replace("+asyncpg", "")
            connection = await asyncpg.connect(url)
            try:
                for table in tables:
                    name = f"{service}_{table}"
                    found[name] = await connection.fetchval(f"SELECT count(*) FROM {name}")  # noqa: S608
            finally:
                await connection.close()
        return found

    return count


def area_body(name: str, **body: Any) -> bytes:
    """Return a body with the area of that name, or without any."""
    area = AREAS[name]
    return orjson.dumps(body if area is LEFT_OUT else {**body, "area": area})


@pytest.mark.shows("S05", "M13", "bad:A01", "bad:A02", "bad:A14", "bad:A17", "G3")
@pytest.mark.parametrize("name", AREAS)
async def test_an_alert_over_a_bad_area_is_not_even_drafted(
    apis: Apis, rows: Callable[[], Any], name: str
) -> None:
    api, before = apis["dispatcher"], await rows()
    body = {one: value for one, value in alert().items() if one != "area"}
    headers = {
        **api.headers("manager"), "Idempotency-Key": str(uuid4()),
        "Content-Type": "application/json",
    }  # fmt: skip
    answer = await api.client.post("/v1/alerts", content=area_body(name, **body), headers=headers)
    check(answer, answer.status_code)
    assert answer.status_code in (403, 413, 422), answer.text
    assert await rows() == before


@pytest.mark.shows("S05", "bad:A01", "bad:A02")
@pytest.mark.parametrize(
    ("path", "role"), [("/v1/areas/preview", "viewer"), ("/internal/v1/areas/resolve", "service")]
)
@pytest.mark.parametrize("name", AREAS)
async def test_the_geofence_resolves_and_previews_no_bad_area(
    apis: Apis, path: str, role: str, name: str
) -> None:
    api = apis["geofence"]
    headers = {**api.headers(role), "Content-Type": "application/json"}
    answer = await api.client.post(path, content=area_body(name), headers=headers)
    problem = check(answer, answer.status_code)
    assert answer.status_code in (403, 413, 422), answer.text
    assert all(one["pointer"].startswith("/area") for one in problem["errors"]), problem


@pytest.mark.shows("S05", "C10", "bad:C17", "bad:C18", "bad:C21", "bad:C22", "M13")
@pytest.mark.parametrize("name", MESSAGES)
async def test_a_cap_message_over_a_bad_area_makes_no_alert(
    apis: Apis, rows: Callable[[], Any], name: str
) -> None:
    api = apis["dispatcher"]
    sender = await enrol(api)
    before = await rows()
    answer = await _post(api.client, api.partner, message(sender, info(area=MESSAGES[name])))
    check(answer, answer.status_code)
    assert answer.status_code in (403, 422), answer.text
    assert await rows() == before


@pytest.mark.shows("S05")
async def test_a_good_area_is_taken_at_the_same_doors(apis: Apis) -> None:
    """What is refused above is refused for its area and for nothing else."""
    api, near = apis["dispatcher"], apis["geofence"]
    area = {"include": [GOOD]}
    headers = {**api.headers("manager"), "Idempotency-Key": str(uuid4())}
    body = alert(area=area, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    made = await api.client.post("/v1/alerts", json=body, headers=headers)
    assert made.status_code == 201, made.text
    assert made.json()["area"]["verified"]
    for path, role in (("/v1/areas/preview", "viewer"), ("/internal/v1/areas/resolve", "service")):
        answer = await near.client.post(path, json={"area": area}, headers=near.headers(role))
        assert answer.status_code == 200, answer.text
    sender = await enrol(api)
    sent = await _post(
        api.client, api.partner, message(sender, info(area="<circle>41.3,-72.9 4</circle>"))
    )
    assert sent.status_code == 202, sent.text


async def _post(client: httpx2.AsyncClient, key: dict[str, str], content: str) -> httpx2.Response:
    headers = {**key, "Content-Type": "application/cap+xml"}
    return await client.post("/v1/cap", content=content.encode(), headers=headers)
