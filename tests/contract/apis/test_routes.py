"""Every route says who may call it, and lets in nobody else."""

from uuid import uuid4

import pytest

from tests.contract.apis.desk import SERVICES, Api, Apis, Operation

PUBLIC = {
    "subscriber": {
        "POST /v1/subscribers",
        "POST /v1/subscribers/{subscriber_id}/confirm",
        "POST /v1/subscribers/{subscriber_id}/codes",
    },
    "geofence": set(),
    # Providers prove themselves by their signature, mail links by their token.
    "dispatcher": {
        "POST /v1/inbound/twilio/sms",
        "POST /v1/inbound/twilio/voice/{delivery_id}",
        "GET /v1/inbound/email/unsubscribe/{token}",
        "POST /v1/inbound/email/unsubscribe/{token}",
    },
}
GUARDED_OTHERWISE = {"POST /v1/receipts/twilio/{channel}/{delivery_id}": "twilio-signature"}
ROLES = {"manager", "admin", "viewer", "service", "partner", "resident"}


def guarded(api: Api) -> list[Operation]:
    """Return the operations that name their roles; there are some in each application."""
    found = [one for one in api.operations() if one.roles]
    assert found
    return found


async def ask(api: Api, operation: Operation, **options: object) -> tuple[int, dict[str, str]]:
    """Call an operation without a body; return the status and the problem."""
    answer = await api.client.request(operation.method, api.url(operation), **options)  # type: ignore[arg-type]
    assert answer.headers["content-type"] == "application/problem+json", operation
    return answer.status_code, answer.json()


@pytest.mark.shows("S13")
@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_is_guarded_or_listed_as_public(apis: Apis, service: str) -> None:
    operations = list(apis[service].operations())
    public = {one.name for one in operations if one.roles == frozenset()}
    assert public == PUBLIC[service]
    otherwise = {one.name: one.guarded_by for one in operations if one.roles is None}
    assert otherwise == (GUARDED_OTHERWISE if service == "dispatcher" else {})
    named = frozenset[str]().union(*(one.roles or () for one in operations))
    assert named <= ROLES


@pytest.mark.shows("S13")
@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_that_is_documented_was_looked_at(apis: Apis, service: str) -> None:
    documented = {
        f"{method.upper()} {path}"
        for path, item in apis[service].schema["paths"].items()
        for method in item
    }
    assert documented
    walked = {one.name for one in apis[service].operations()}
    assert walked == documented


@pytest.mark.shows("S13", "bad:J24")
@pytest.mark.parametrize("service", SERVICES)
async def test_nobody_is_let_in_by_a_guarded_route(apis: Apis, service: str) -> None:
    api = apis[service]
    forged = api.headers("service" if service == "geofence" else "manager")
    for operation in guarded(api):
        status, problem = await ask(api, operation)
        assert (status, problem["type"]) == (401, "urn:ct-alert:problem:unauthorized"), operation
        for headers in (
            {"Authorization": "Bearer nonsense"},
            {"Authorization": f"{forged['Authorization'][:-8]}AAAAAAAA"},
            {"Authorization": "Basic bWFuYWdlcjptYW5hZ2Vy"},
        ):
            status, _ = await ask(api, operation, headers=headers)
            assert status == 401, (operation, headers)


@pytest.mark.shows("S13", "bad:J25")
@pytest.mark.parametrize("service", ["geofence", "dispatcher"])
async def test_every_other_role_is_refused_by_a_guarded_route(apis: Apis, service: str) -> None:
    api = apis[service]
    for operation in guarded(api):
        for role in ROLES - {"resident"} - (operation.roles or frozenset()):
            status, problem = await ask(api, operation, headers=api.headers(role))
            assert (status, problem["type"].rpartition(":")[2]) == (403, "forbidden"), (
                operation,
                role,
            )


@pytest.mark.shows("S13", "S10", "bad:U25")
async def test_a_resident_reaches_no_other_profile_and_no_other_service(apis: Apis) -> None:
    """What proves one resident is nothing elsewhere: 404 at another's profile, 401 at staff's."""
    me = apis["subscriber"].headers("resident", subject=str(uuid4()))
    for operation in guarded(apis["subscriber"]):
        body = apis["subscriber"].body_of(operation)
        example = {"json": body[1]} if body else {}
        status, problem = await ask(apis["subscriber"], operation, headers=me, **example)
        assert (status, problem["type"]) == (404, "urn:ct-alert:problem:not-found"), operation
    for service in ("geofence", "dispatcher"):
        for operation in guarded(apis[service]):
            status, _ = await ask(apis[service], operation, headers=me)
            assert status == 401, operation


@pytest.mark.shows("S13", "bad:J24")
async def test_a_services_token_is_its_own(apis: Apis) -> None:
    """What the dispatcher signs opens the geofence's internal door and no staff door."""
    service = apis["geofence"].headers("service")
    status, _ = await ask_json(apis["geofence"], "/internal/v1/areas/resolve", service)
    assert status == 422
    manager = apis["geofence"].headers("manager")
    status, _ = await ask_json(apis["geofence"], "/internal/v1/areas/resolve", manager)
    assert status == 403


async def ask_json(api: Api, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Post an empty object; return the status and the problem's name."""
    answer = await api.client.post(path, json={}, headers=headers)
    return answer.status_code, str(answer.json().get("type"))


@pytest.mark.shows("S46")
@pytest.mark.parametrize("service", SERVICES)
async def test_in_production_docs_metrics_and_health_are_not_there(
    apis: Apis, service: str
) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/metrics", "/livez", "/readyz", "/"):
        answer = await apis[service].client.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
