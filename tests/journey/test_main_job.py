"""The main job: an opt-in, an alert by a partner or by hand, everybody reached, a true report."""

import json

import pytest
import shapely

from ctalert.demo.message import STORM, compose
from ctalert.demo.roster import who_lives_inside
from shared.clock import SystemClock
from tests.journey.resident import Resident
from tests.journey.stage import Stage, circle, metres, refusal, until

MERIDEN = (-72.8070, 41.5382)
HARTFORD = (-72.6734, 41.7658)
RADIUS_M = 12_000.0
TOWNS = {"Milltown": (-73.1, 41.1, -72.85, 41.45), "Harbor": (-72.3, 41.3, -72.0, 41.6)}


@pytest.mark.shows("C6", "C19", "S01", "M1", "M7", "M12", "goal:G1", "goal:G2", "goal:G12")
async def test_a_partners_message_reaches_everybody_inside_and_the_report_is_true(
    stage: Stage,
) -> None:
    """An opt-in with the phone's code, CAP, a second person, and every number adds up.

    The same bytes again are the same alert: nobody is told twice.
    """
    newcomer = await Resident(stage).sign_up(*MERIDEN)
    storm = shapely.Polygon([(lon, lat) for lat, lon in STORM])
    inside = who_lives_inside(stage.people, storm)
    geometry = json.loads(shapely.to_geojson(storm))
    await stage.known({"include": [{"type": "geojson", "geometry": geometry}]}, len(inside))
    partner = await stage.partner()
    message = compose(now=SystemClock().now())
    received = await partner.post_bytes("/v1/cap", message, "application/cap+xml")
    alert_id = received["alert_id"]
    approval = {"digest": received["digest"], "count": received["count"]}
    path = f"/v1/alerts/{alert_id}/approve"
    assert received["count"] == len(inside)
    # The partner's key approves nothing, and neither does whoever gave the partner the key.
    assert await refusal(partner.post(path, approval)) == 403
    assert await refusal(stage.manager("admin").post(path, approval)) == 403
    assert not await stage.deliveries(alert_id)
    await stage.manager().post(path, approval)
    await stage.ended(alert_id, inside)
    report = await stage.check(alert_id, inside)
    assert all(part["handed_over"] for part in report["by_channel"].values())
    assert await newcomer.heard(alert_id) == 1

    again = await partner.post_bytes("/v1/cap", message, "application/cap+xml")
    assert again["alert_id"] == alert_id
    other = message.replace(b"Meriden", b"Madison")
    assert await refusal(partner.post_bytes("/v1/cap", other, "application/cap+xml")) == 409
    # Another alert of later goes the whole way: had the first begun anew, it would show by then.
    later = await stage.warn(circle(*MERIDEN, 1_000))
    await until(lambda: newcomer.heard(later), lambda texts: texts == 1)
    assert await newcomer.heard(alert_id) == 1
    await stage.check(alert_id, inside)


@pytest.mark.shows("S01", "M1", "M7", "G1", "goal:G12")
async def test_an_alert_by_hand_over_a_circle(stage: Stage) -> None:
    """The circle's people by brute force, two persons, one report."""
    places = [place for person in stage.people for place in person.places]
    near = [place for place in places if abs(metres(place, HARTFORD) / RADIUS_M - 1) < 0.01]
    assert not near, "too near to the edge for a distance on a sphere"
    inside = [
        person
        for person in stage.people
        if any(metres(place, HARTFORD) < RADIUS_M for place in person.places)
    ]
    alert = await stage.draft(circle(*HARTFORD, RADIUS_M))
    assert alert["count"] == len(inside) > 0
    approval = {"digest": alert["digest"], "count": alert["count"]}
    path = f"/v1/alerts/{alert['alert_id']}/approve"
    assert await refusal(stage.manager("first-person").post(path, approval)) == 403
    wrong = approval | {"count": alert["count"] + 1}
    assert await refusal(stage.manager().post(path, wrong)) == 422
    await stage.manager().post(path, approval)
    await stage.ended(alert["alert_id"], inside)
    await stage.check(alert["alert_id"], inside)


@pytest.mark.shows("G6", "goal:G12")
async def test_an_alert_by_hand_over_features_of_an_imported_layer(stage: Stage) -> None:
    """Two features by name and by code are one area; a name that is not there is refused."""
    features = [
        {
            "type": "Feature",
            "properties": {"geoid": f"Z{number}", "name": name},
            "geometry": json.loads(shapely.to_geojson(shapely.box(*box))),
        }
        for number, (name, box) in enumerate(TOWNS.items())
    ]
    admin = stage.world.geofence.as_bearer(stage.system.token("admin", subject="admin"))
    layer = {"type": "FeatureCollection", "features": features}
    await admin.post("/v1/layers/evacuation_zone", layer)
    kind = {"type": "feature", "kind": "evacuation_zone"}
    nowhere = {"include": [kind | {"name": "Nowhere"}]}
    assert await refusal(stage.draft(nowhere)) == 422
    inside = who_lives_inside(
        stage.people, shapely.union_all([shapely.box(*box) for box in TOWNS.values()])
    )
    area = {"include": [kind | {"name": "Milltown"}, kind | {"code": "Z1"}]}
    alert_id = await stage.warn(area)
    await stage.ended(alert_id, inside)
    assert (await stage.check(alert_id, inside))["audience"]["people"] == len(inside) > 0
