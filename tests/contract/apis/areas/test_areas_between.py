"""Areas between the dispatcher and the geofence, both as they are assembled, over one layer."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import shapely

from shared.connecticut import Town, towns
from shared.events.envelope import encode
from tests.contract.apis.desk import Api, Apis, enrol
from tests.contract.apis.test_problems import check
from tests.service.dispatcher.alerts.cap.cap_messages import info, message
from tests.service.dispatcher.alerts.desk import alert
from tests.service.geofence.parts import eventually
from tests.service.geofence.world import place_changed

SIDE = 0.016
KENT = "0900540290"


def field_of(town: Town) -> shapely.Polygon:
    """Return a field around the middle of a town that meets no other's."""
    west, south = town.lon - SIDE / 2, town.lat - SIDE / 2
    return shapely.box(west, south, west + SIDE, south + SIDE)


FIELDS = {town.geoid: field_of(town) for town in towns()}


@pytest.fixture(scope="module")
async def board(apis: Apis) -> Apis:
    """The applications with every town of the state imported as a field."""
    near = apis["geofence"]
    features = [
        {
            "type": "Feature",
            "properties": {"geoid": town.geoid, "name": town.name},
            "geometry": shapely.geometry.mapping(FIELDS[town.geoid]),
        }
        for town in towns()
    ]
    body = {"type": "FeatureCollection", "features": features}
    answer = await near.client.post("/v1/layers/town", json=body, headers=near.headers("admin"))
    assert answer.status_code in (200, 201), answer.text
    return apis


async def post_cap(api: Api, inside: str, **who: Any) -> Any:
    """Post a message over an area with the key of a partner just enrolled."""
    sender = await enrol(api, **who)
    body = message(sender, info(area=inside))
    headers = {**api.headers("partner"), "Content-Type": "application/cap+xml"}
    return await api.client.post("/v1/cap", content=body.encode(), headers=headers)


def code(scheme: str, value: str) -> str:
    """Return a geocode element."""
    return f"<geocode><valueName>{scheme}</valueName><value>{value}</value></geocode>"


async def shown(api: Api, alert_id: str) -> dict[str, Any]:
    """Return an alert as a manager of the state sees it."""
    answer = await api.client.get(f"/v1/alerts/{alert_id}", headers=api.headers("manager"))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def sized(*fields: shapely.Polygon) -> Any:
    """Return about how many square kilometres fields have."""
    return pytest.approx(sum(one.area for one in fields) * 111.06 * 83.1, rel=0.02)


@pytest.mark.shows("C10", "C17", "G6")
@pytest.mark.parametrize(("scheme", "value", "of"), [
    ("SAME", "009001", "09001"), ("SAME", "009190", "09190"), ("UGC", "CTC013", "09013"),
    ("FIPS6", "009110", "09110"),
])  # fmt: skip
async def test_a_division_in_a_message_is_its_towns_in_the_layer(
    board: Apis, scheme: str, value: str, of: str
) -> None:
    answer = await post_cap(board["dispatcher"], code(scheme, value))
    assert answer.status_code == 202, answer.text
    assert (answer.json()["state"], answer.json()["hold"]) == ("pending_approval", None)
    area = (await shown(board["dispatcher"], answer.json()["alert_id"]))["area"]
    own = [town for town in towns() if of in (town.county, town.region)]
    assert {one["code"] for one in area["jurisdictions"]} == {town.geoid for town in own}
    assert area["area_km2"] == sized(*(FIELDS[town.geoid] for town in own))
    assert [(one["kind"], one["version"]) for one in area["layer_versions"]] == [("town", 1)]


@pytest.mark.shows("C10", "C17", "M13", "S05")
@pytest.mark.parametrize(("inside", "unknown", "reason"), [
    (code("SAME", "009002"), ["SAME 009002"], "unknown-geocode"),
    (code("SAME", "009001") + code("SAME", "036061"), ["SAME 036061"], "unknown-geocode"),
    (code("UGC", "CTZ010"), ["UGC CTZ010"], "unknown-layer"),
    (code("UGC", "CTC002") + code("UGC", "NYC061"), ["UGC CTC002", "UGC NYC061"],
     "unknown-geocode"),
])  # fmt: skip
async def test_what_the_layers_do_not_know_is_held_until_a_person_says_where(
    board: Apis, inside: str, unknown: list[str], reason: str
) -> None:
    api = board["dispatcher"]
    answer = await post_cap(api, inside)
    assert answer.status_code == 202, answer.text
    assert answer.json()["hold"] == {"reason": reason, "codes": unknown}
    path = f"/v1/alerts/{answer.json()['alert_id']}"
    submitted = await api.client.post(f"{path}/submit", headers=api.headers("manager"))
    assert check(submitted, 409)["type"].endswith("area-held")
    area = {"include": [{"type": "geocode", "scheme": "TOWN", "value": "Kent"}]}
    put = await api.client.put(f"{path}/area", json={"area": area}, headers=api.headers("manager"))
    assert put.status_code == 200, put.text
    assert put.json()["area"]["area_km2"] == sized(FIELDS[KENT])
    assert put.json()["hold"] is None


@pytest.mark.shows("S11", "bad:A12", "bad:A13", "M13")
@pytest.mark.parametrize(("include", "status"), [
    ([{"type": "geocode", "scheme": "TOWN", "value": "Kent"}], 201),
    ([{"type": "feature", "kind": "town", "code": KENT}], 201),
    ([{"type": "geocode", "scheme": "SAME", "value": "009005"}], 403),
    ([{"type": "geocode", "scheme": "SAME", "value": "009000"}], 403),
    ([{"type": "geocode", "scheme": "TOWN", "value": "New Haven"}], 403),
    ([{"type": "geocode", "scheme": "SAME", "value": "000000"}], 403),
])  # fmt: skip
async def test_a_towns_manager_alerts_the_town(
    board: Apis, include: list[Any], status: int
) -> None:
    answer = await draft(board["dispatcher"], {"include": include}, town=KENT)
    assert answer.status_code == status, answer.text


@pytest.mark.shows("S11", "bad:A12")
@pytest.mark.parametrize(("metres", "status"), [
    (-5.0, 201), (0.0, 201), (0.9, 201), (1.1, 403), (2.0, 403), (50.0, 403),
])  # fmt: skip
async def test_a_drawing_may_leave_the_town_by_rounding_and_no_more(
    board: Apis, metres: float, status: int
) -> None:
    west, south, east, north = FIELDS[KENT].bounds
    step = metres / 111_060
    drawn = shapely.box(west + 0.001, south + 0.001, east - 0.001, north + step)
    geometry = shapely.geometry.mapping(drawn)
    area = {"include": [{"type": "geojson", "geometry": geometry}]}
    answer = await draft(board["dispatcher"], area, town=KENT)
    assert answer.status_code == status, answer.text


@pytest.mark.shows("G3", "S11")
async def test_what_sticks_out_of_the_town_can_be_excluded(board: Apis) -> None:
    town = {"type": "geocode", "scheme": "TOWN", "value": "Kent"}
    west, south, east, north = FIELDS[KENT].bounds
    wide = shapely.box(west + 0.005, south + 0.005, east + SIDE, north - 0.005)
    beside = shapely.box(east, south, east + 2 * SIDE, north)
    shapes = [
        {"type": "geojson", "geometry": shapely.geometry.mapping(one)} for one in (wide, beside)
    ]
    api = board["dispatcher"]
    assert (await draft(api, {"include": shapes[:1]}, town=KENT)).status_code == 403
    less = await draft(api, {"include": shapes[:1], "exclude": shapes[1:]}, town=KENT)
    assert less.status_code == 201, less.text
    none = await draft(api, {"include": [town], "exclude": [town]}, town=KENT)
    assert check(none, 422)["type"].endswith("empty-area")


@pytest.mark.shows("M12", "S04", "bad:A24")
async def test_people_who_came_since_are_counted_before_anything_is_sent(board: Apis) -> None:
    """Ten, then eleven, then twelve: a tenth is let pass, more is asked again."""
    api = board["dispatcher"]
    spot = next(FIELDS[town.geoid] for town in towns() if town.name == "Putnam").centroid
    area = {"include": [{"type": "circle", "lon": spot.x, "lat": spot.y, "radius_m": 300}]}
    await moved_in(board, spot, 10, area)
    made = (await draft(api, area)).json()
    path = f"/v1/alerts/{made['alert_id']}"
    sent = await api.client.post(f"{path}/submit", headers=api.headers("manager"))
    assert sent.json()["count"] == 10
    await moved_in(board, spot, 2, area, before=10)
    first = await approve(api, sent.json())
    assert check(first, 409)["type"].endswith("estimate-drifted")
    now = await shown(api, made["alert_id"])
    assert (now["count"], now["state"]) == (12, "pending_approval")
    old = await approve(api, {**now, "count": 10})
    assert check(old, 422)["type"].endswith("count-mismatch")
    await moved_in(board, spot, 1, area, before=12)
    assert (await approve(api, now)).json()["state"] == "approved"


async def draft(api: Api, area: Any, *, town: str = "*") -> Any:
    """Draft an alert over an area as a town's manager."""
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    headers = {**api.headers("manager", town=town), "Idempotency-Key": str(uuid4())}
    body = alert(area=area, expires_at=expires)
    return await api.client.post("/v1/alerts", json=body, headers=headers)


async def approve(api: Api, as_shown: dict[str, Any]) -> Any:
    """Approve an alert as shown, by somebody else."""
    return await api.client.post(
        f"/v1/alerts/{as_shown['alert_id']}/approve",
        json={"digest": as_shown["digest"], "count": as_shown["count"]},
        headers=api.headers("manager", subject="ben"),
    )


async def moved_in(
    apis: Apis, spot: shapely.Point, people: int, area: Any, *, before: int = 0
) -> None:
    """Have people move to a spot and wait until the geofence counts them."""
    near = apis["geofence"]
    async with near.bus.producer() as producer:
        for number in range(people):
            event = place_changed(UUID(int=before + number + 1), 1, (spot.x, spot.y))
            await producer.send(
                encode(event, producer="subscriber", signer=None, now=datetime.now(UTC))
            )

    async def counted() -> bool:
        answer = await near.client.post(
            "/internal/v1/areas/resolve",
            json={"area": area, "nonce": "n"},
            headers=near.headers("service"),
        )
        return bool(answer.json()["estimate"]["people"] == before + people)

    await eventually(counted)
