"""A key that the dispatcher gave opens what partners may read at the geofence."""

from uuid import uuid4

import pytest

from tests.contract.apis.desk import Apis, enrol

NEW_HAVEN = "0917052070"


async def test_a_partner_reads_the_directory_with_the_key_it_was_given(apis: Apis) -> None:
    near = apis["geofence"]
    code = f"C{uuid4().hex[:8]}"
    centre = {
        "code": code, "valid_from": "2020-01-01T05:00:00Z", "name": "Centre", "towns": [],
        "fallout_numbers": ["+18605550111"], "emergency_numbers": ["+18605550121"],
        "police": {"kind": "local_police", "label": "Police", "number": "+18605550131"},
        "interpreter": {"number": "+18005550199", "only_for_9_1_1_calls": True},
    }  # fmt: skip
    made = await near.client.post("/v1/psaps", json=centre, headers=near.headers("admin"))
    assert made.status_code == 201, made.text
    await enrol(apis["dispatcher"], town=NEW_HAVEN)
    answer = await near.client.get("/v1/psaps", headers=near.headers("partner"))
    assert answer.status_code == 200, answer.text
    assert [one["emergency_numbers"] for one in answer.json()["psaps"] if one["code"] == code] == [
        ["+18605550121"]
    ]
    assert "+18605550111" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"), [("locate?lon=-72.7&lat=41.6", 404), ("features", 200)]
)
async def test_a_partner_may_ask_about_layers(apis: Apis, path: str, status: int) -> None:
    """Of a layer that nobody imported there is nothing, which is not for strangers to know."""
    near = apis["geofence"]
    answer = await near.client.get(f"/v1/layers/same/{path}", headers=near.headers("partner"))
    assert answer.status_code == status, answer.text
    assert (await near.client.get(f"/v1/layers/same/{path}")).status_code == 401


@pytest.mark.shows("S13")
async def test_the_geofences_document_names_the_partners_key(apis: Apis) -> None:
    document = apis["geofence"].schema
    assert document["components"]["securitySchemes"]["partner"]["name"] == "X-Api-Key"
    opening = document["paths"]["/v1/psaps"]["get"]["security"]
    assert {"partner": ["admin", "manager", "partner", "viewer"]} in opening
