"""Areas and layers made to hang, crash or shift the geofence: refused at once, it lives on."""

import math
import time
from typing import Any

import pytest

from tests.service.geofence.desk import Desk

# Uniting the first of these took three minutes; the rest is a busy machine.
AT_ONCE_S = 10.0
PREVIEW, RESOLVE = "/v1/areas/preview", "/internal/v1/areas/resolve"
NEW_HAVEN = [[-73.0, 41.3], [-72.8, 41.3], [-72.8, 41.4], [-73.0, 41.4], [-73.0, 41.3]]
SQUARE = [[-72.9, 41.3], [-72.8, 41.3], [-72.8, 41.4], [-72.9, 41.4], [-72.9, 41.3]]


def shape(ring: list[list[float]], **members: Any) -> dict[str, Any]:
    """Return a drawn shape."""
    geometry = {"type": "Polygon", "coordinates": [ring], **members}
    return {"type": "geojson", "geometry": geometry}


def comb(teeth: int, *, standing: bool) -> list[list[float]]:
    """Return a ring of long thin teeth, four vertices each."""
    ring: list[tuple[float, float]] = []
    for tooth in range(teeth):
        left, right = tooth * 0.5 / teeth, (tooth + 0.5) * 0.5 / teeth
        ring += [(left, 0.0), (left, 0.5), (right, 0.5), (right, 0.0)]
    ring += [(0.5, -0.01), (0.0, -0.01), ring[0]]
    return [[-72.9 + x, 41.3 + y] if standing else [-72.9 + y, 41.3 + x] for x, y in ring]


def star(points: int, turn: float) -> list[list[float]]:
    """Return a ring of spikes around one centre."""
    ring = []
    for n in range(points):
        reach, angle = (0.3 if n % 2 else 0.003), turn + 2 * math.pi * n / points
        ring.append([-72.7 + reach * math.cos(angle), 41.6 + reach * math.sin(angle)])
    return [*ring, ring[0]]


async def ask(desk: Desk, *shapes: dict[str, Any]) -> Any:
    """Resolve an area; the answer comes at once, whatever it is."""
    began = time.perf_counter()
    answer = await desk.post(RESOLVE, {"area": {"include": list(shapes)}}, **desk.dispatcher())
    assert time.perf_counter() - began < AT_ONCE_S
    return answer


@pytest.mark.shows("S31", "bad:A07")
async def test_shapes_that_cross_a_million_times_are_not_united(geofence: Desk) -> None:
    for one, other in (
        (comb(1_240, standing=True), comb(1_240, standing=False)),
        (star(4_998, 0.0), star(4_998, 0.0005)),
    ):
        answer = await ask(geofence, shape(one), shape(other))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (413, "too-complex")
    circles = [
        {"type": "circle", "lon": -72.65, "lat": 41.55, "radius_m": 1_000 + n * 80}
        for n in range(249)
    ]
    assert (await ask(geofence, shape(comb(300, standing=True)), *circles)).status_code == 200
    assert (await ask(geofence, shape(SQUARE))).status_code == 200


@pytest.mark.parametrize("name", [[], {}, 7, None])
@pytest.mark.shows("S44", "bad:A15")
async def test_a_reference_system_of_any_type_is_refused(geofence: Desk, name: object) -> None:
    crs = {"type": "name", "properties": {"name": name}}
    answer = await ask(geofence, shape(SQUARE, crs=crs))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unsupported-crs")


@pytest.mark.parametrize(
    "area",
    [
        {"include": [1] * 100_000},
        {"include": [shape([[0.0, 0.0]] * 5_001)]},
        {"include": [{"type": "geojson", "geometry": {"type": "MultiPolygon",
                      "coordinates": [[]] * 60_000}}]},
        {"include": [{"type": [], "kind": {}}]},
        {"include": [{"type": "feature", "kind": [], "code": "1"}]},
        {"include": {"type": "circle"}},
        [], "*", 0, False,
    ],
)  # fmt: skip
@pytest.mark.shows("S05", "S31", "S44", "bad:A01", "bad:A14")
async def test_an_area_of_any_form_is_refused_in_words(geofence: Desk, area: object) -> None:
    for path, who in ((RESOLVE, geofence.dispatcher()), (PREVIEW, geofence.staff("manager"))):
        answer = await geofence.post(path, {"area": area}, **who)
        assert answer.status_code in (413, 422), answer.text


@pytest.mark.shows("S10", "S13", "bad:J25")
async def test_a_town_cannot_redraw_the_map_it_is_judged_by(geofence: Desk, keyrings: Any) -> None:
    issuer = keyrings.ring("issuer").tokens.issuer
    token = issuer.issue(subject="mallory", roles=["admin", "manager"], town="0900952070")
    everywhere = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"geoid": "0900952070", "name": "New Haven"},
                "geometry": {"type": "Polygon", "coordinates": [NEW_HAVEN]},
            }
        ],
    }
    answer = await geofence.post("/v1/layers/town", everywhere, Authorization=f"Bearer {token}")
    assert answer.status_code == 403
    assert (await geofence.get("/v1/layers")).json() == []
    own = geofence.staff("admin")
    assert (await geofence.post("/v1/layers/town", everywhere, **own)).status_code == 201
    everywhere["features"][0]["properties"]["geoid"] = "a\x00b"  # type: ignore[index]
    assert (await geofence.post("/v1/layers/town", everywhere, **own)).status_code == 422


@pytest.mark.shows("S32", "S44", "bad:J09")
async def test_a_null_in_an_address_never_reaches_the_database(geofence: Desk) -> None:
    for member in ("code", "name"):
        answer = await geofence.get("/v1/layers/town/features", **{member: "a\x00b"})
        assert answer.status_code == 422, answer.text
