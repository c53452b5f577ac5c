"""The three OpenAPI documents say what each operation takes, answers and refuses, and it is so."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx2
import orjson
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from services.dispatcher.cap.read_message import read_message
from simulators.signature import sign_request
from tests.contract.apis.desk import PUBLIC_URL, SERVICES, Api, Apis, Operation, examples_of
from tests.simulated import ACCOUNT, TOKEN

# What a documented example gets when it is posted as it stands. Of what is not there, 404; a date
# in an example is past by the time it is read, and its digest is nobody's.
ANSWERS = {
    "POST /v1/subscribers": {202},
    "POST /v1/subscribers/{subscriber_id}/confirm": {404},
    "POST /v1/subscribers/{subscriber_id}/codes": {404},
    "PATCH /v1/subscribers/{subscriber_id}": {404},
    "POST /v1/subscribers/{subscriber_id}/contact-points": {404},
    "PATCH /v1/subscribers/{subscriber_id}/contact-points/{contact_id}": {404},
    "POST /v1/subscribers/{subscriber_id}/places": {404},
    "PUT /v1/subscribers/{subscriber_id}/places/{place_id}": {404},
    "POST /v1/layers/{kind}": {200, 201},
    "POST /v1/areas/preview": {200},
    # No addresses are imported, so none can be matched.
    "POST /v1/areas/addresses": {409},
    "POST /v1/areas/streets": {409},
    "POST /v1/areas/upload": {200},
    "POST /v1/saved-areas": {201},
    "PUT /v1/saved-areas/{saved_area_id}": {404},
    "POST /v1/psaps": {201},
    "POST /v1/psaps/{code}/records": {404},
    "POST /v1/psaps/{code}/towns": {404},
    "POST /v1/psaps/{code}/consolidation": {404},
    "POST /v1/psaps/{code}/ring-through": {404},
    # No zones are imported, so nothing can be said of any.
    "POST /v1/evacuation-zones/statuses": {409},
    "POST /internal/v1/areas/resolve": {200},
    # The key of the example is nobody's.
    "POST /internal/v1/partners/recognise": {404},
    "POST /v1/partners": {201},
    "POST /v1/alerts": {201},
    "PUT /v1/alerts/{alert_id}/area": {404},
    "POST /v1/alerts/{alert_id}/approve": {404},
    "POST /v1/alerts/{alert_id}/cancel": {404},
    "POST /v1/receipts/twilio/{channel}/{delivery_id}": {204},
    "POST /v1/inbound/twilio/sms": {200},
    "POST /v1/inbound/twilio/voice/{delivery_id}": {200},
}
CAP = "POST /v1/cap"


def documented(api: Api) -> list[tuple[str, dict[str, Any]]]:
    """Return every operation of the document with its name."""
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in api.schema["paths"].items()
        for method, operation in item.items()
    ]


def validate(example: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    """Hold an example to its schema, which may name others of the document."""
    whole = {**schema, "components": document.get("components", {})}
    checker = Draft202012Validator.FORMAT_CHECKER
    Draft202012Validator(whole, format_checker=checker).validate(example)


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_says_what_it_does_and_how_it_refuses(apis: Apis, service: str) -> None:
    document = apis[service].schema
    assert document["openapi"].startswith("3.1")
    seen = set()
    for name, operation in documented(apis[service]):
        assert operation["summary"], name
        assert operation["description"].endswith((".", "`")), name
        assert operation["tags"], name
        assert operation["operationId"] not in seen, name
        seen.add(operation["operationId"])
        assert "application/problem+json" in operation["responses"]["default"]["content"], name
        for status, answer in operation["responses"].items():
            if status == "default" or int(status) >= 400:
                content = answer["content"]
                assert list(content) == ["application/problem+json"], (name, status)


@pytest.mark.shows("S13")
@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_says_what_opens_it(apis: Apis, service: str) -> None:
    document = apis[service].schema
    schemes = document["components"]["securitySchemes"]
    guarded = {one.name: one.roles for one in apis[service].operations()}
    for name, operation in documented(apis[service]):
        opening = {scheme for one in operation["security"] for scheme in one}
        assert opening <= schemes.keys(), name
        assert bool(opening) == bool(guarded[name]), name
    if service == "dispatcher":
        cap = document["paths"]["/v1/cap"]["post"]
        assert cap["security"] == [{"partner": ["partner"]}]


@pytest.mark.parametrize("service", SERVICES)
def test_every_body_has_an_example_that_fits_its_schema(apis: Apis, service: str) -> None:
    document = apis[service].schema
    for name, operation in documented(apis[service]):
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            examples = examples_of(content, document)
            assert examples, (name, media)
            for example in examples:
                validate(example, content["schema"], document)


@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_has_an_example_that_fits_its_schema(apis: Apis, service: str) -> None:
    document = apis[service].schema
    for name, operation in documented(apis[service]):
        for status, answer in operation["responses"].items():
            contents = answer.get("content", {})
            assert bool(contents) == (status != "204"), (name, status)
            for media, content in contents.items():
                examples = examples_of(content, document)
                assert examples, (name, status, media)
                for example in examples:
                    validate(example, content["schema"], document)
                    if status.isdigit() and int(status) >= 400:
                        assert example["status"] == int(status), name


@pytest.mark.parametrize("service", SERVICES)
def test_every_parameter_has_an_example_that_fits_its_schema(apis: Apis, service: str) -> None:
    document = apis[service].schema
    for name, operation in documented(apis[service]):
        for parameter in operation.get("parameters", ()):
            examples = examples_of(parameter, document)
            assert examples, (name, parameter["name"])
            for example in examples:
                validate(example, parameter["schema"], document)


@pytest.mark.parametrize("service", SERVICES)
def test_the_example_of_an_answer_is_what_its_model_writes(apis: Apis, service: str) -> None:
    """No member is missing, none is made up, and each is written as the service writes it."""
    document = apis[service].schema
    for route in iter_route_contexts(apis[service].app.routes):
        made = route.original_route
        if not isinstance(made, APIRoute) or made.response_model is None:
            continue
        adapter = TypeAdapter[Any](made.response_model)
        for method in made.methods or ():
            answers = document["paths"][route.path][method.lower()]["responses"]
            content = answers[str(made.status_code or 200)].get("content", {})
            for example in examples_of(content.get("application/json", {}), document):
                read = adapter.validate_json(orjson.dumps(example))
                written = adapter.dump_python(
                    read, mode="json", exclude_unset=made.response_model_exclude_unset
                )
                assert written == example, route.path


@pytest.mark.parametrize("service", SERVICES)
async def test_every_example_is_taken_as_it_stands(apis: Apis, service: str) -> None:
    api = apis[service]
    with_body = [one for one in api.operations() if api.body_of(one)]
    assert {one.name for one in with_body} - {CAP} <= ANSWERS.keys()
    for operation in with_body:
        if operation.name == CAP:
            continue
        answer = await post(api, operation)
        assert answer.status_code in ANSWERS[operation.name], (operation, answer.text)


def test_the_example_of_a_cap_message_is_one(apis: Apis) -> None:
    """Its date is past, so it is read and not posted."""
    example = apis["dispatcher"].schema["paths"]["/v1/cap"]["post"]["requestBody"]["content"]
    read = read_message(example["application/cap+xml"]["example"].encode())
    assert read.faults == ()
    assert read.message is not None


async def post(api: Api, operation: Operation) -> httpx2.Response:
    """Post an operation's example as somebody who may, with its expiry moved to come."""
    body = api.body_of(operation)
    assert body is not None
    media, example = body
    own = str(uuid4())
    resident = "resident" in (operation.roles or ())
    headers = api.allowed(operation, subject=own if resident else "ada")
    headers |= {"Content-Type": media, "If-Match": '"1"', "Idempotency-Key": str(uuid4())}
    url = api.url(operation, own=own)
    if "expires_at" in example:
        soon = datetime.now(UTC) + timedelta(hours=1)
        example = {**example, "expires_at": soon.isoformat()}
    if media == "application/x-www-form-urlencoded":
        form = {**example, "AccountSid": ACCOUNT}
        signature = sign_request(TOKEN, PUBLIC_URL + url, form)
        headers["X-Twilio-Signature"] = signature
        content = urlencode(form).encode()
    else:
        content = example.encode() if isinstance(example, str) else orjson.dumps(example)
    return await api.client.request(operation.method, url, content=content, headers=headers)
