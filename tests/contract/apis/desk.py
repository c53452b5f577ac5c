"""The three applications as their services assemble them, behind clients, with people to call."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

import services.dispatcher.service as dispatcher
import services.geofence.service as geofence
import services.subscriber.service as subscriber
from services.dispatcher.settings import DispatcherSettings
from services.geofence.settings import GeofenceSettings
from services.subscriber.settings import SubscriberSettings
from shared.bus.kafka.bus import Bus
from shared.service import Role
from shared.web.auth import access
from tests.conftest import KeyRings
from tests.service.geofence.parts import eventually, running
from tests.simulated import (
    ACCOUNT,
    MAIL_FROM,
    SMS_FROM,
    TOKEN,
    VOICE_FROM,
    listening,
    take_port,
    url_of,
)

PUBLIC_URL = "https://alerts.ct.example"
SERVICES = ("subscriber", "geofence", "dispatcher")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; `roles` is empty for a public one, None for one without a guard."""

    service: str
    method: str
    path: str
    roles: frozenset[str] | None
    guarded_by: str | None = None

    @property
    def name(self) -> str:
        """Return how the list of public operations calls it."""
        return f"{self.method} {self.path}"


@dataclass
class Api:
    """One application, its client, and who may call it."""

    service: str
    role: Role
    client: httpx2.AsyncClient
    keyrings: KeyRings
    bus: Bus
    partner: dict[str, str] = field(default_factory=dict)

    @property
    def app(self) -> FastAPI:
        """Return the application itself."""
        assert isinstance(self.role.app, FastAPI)
        return self.role.app

    @property
    def schema(self) -> dict[str, Any]:
        """Return its OpenAPI document."""
        return self.app.openapi()

    def operations(self) -> Iterator[Operation]:
        """Yield every operation, hidden ones too."""
        for route in iter_route_contexts(self.app.routes):
            # A bare route has no dependencies; it says itself what guards it.
            bare = not isinstance(route.original_route, APIRoute)
            roles = None if bare else access(route.dependant)
            endpoint = getattr(route.original_route, "endpoint", None)
            by = getattr(endpoint, "guarded_by", None) if bare else None
            for method in sorted(set(route.methods or ()) - {"HEAD"}):
                yield Operation(self.service, method, str(route.path), roles, by)

    def body_of(self, operation: Operation) -> tuple[str, Any] | None:
        """Return the media type and the documented example of an operation's body, if any."""
        item = self.schema["paths"].get(operation.path, {}).get(operation.method.lower(), {})
        if "requestBody" not in item:
            return None
        [(media, content)] = item["requestBody"]["content"].items()
        return media, next(iter(examples_of(content, self.schema)), None)

    def url(self, operation: Operation, *, own: str = "") -> str:
        """Fill an operation's path with what could be there, and `own` as the first id."""
        filled = operation.path.replace("{kind}", "town").replace("{channel}", "sms")
        filled = filled.replace("{version}", "1")
        while "{" in filled:
            before, _, rest = filled.partition("{")
            filled = before + (own or str(uuid4())) + rest.partition("}")[2]
            own = ""
        return filled

    def headers(self, role: str, *, subject: str = "ada", town: str = "*") -> dict[str, str]:
        """Return what proves somebody with one role; a resident's subject is their id."""
        if role == "partner" and self.partner:
            return dict(self.partner)
        if role == "resident":
            links = self.keyrings.ring("subscriber").links
            assert links is not None
            return _bearer(links.make("manage", {"subscriber": subject}))
        ring = self.keyrings.ring("dispatcher" if role == "service" else "issuer")
        assert ring.tokens.issuer is not None
        return _bearer(ring.tokens.issuer.issue(subject=subject, roles=[role], town=town))

    def allowed(self, operation: Operation, **whom: str) -> dict[str, str]:
        """Return what proves somebody who may call an operation; nothing for a public one."""
        return self.headers(sorted(operation.roles)[0], **whom) if operation.roles else {}


Apis = dict[str, Api]


@asynccontextmanager
async def open_apis(
    urls: Callable[[str], str], keyrings: KeyRings, kafka: str, *, bus_away: bool = False
) -> AsyncIterator[Apis]:
    """Assemble the three applications on databases whose addresses `urls` gives.

    The dispatcher and the geofence ask each other over real ports; what the geofence's index
    needs, runs.
    """
    bus = Bus(kafka, namespace=f"t{uuid4().hex[:8]}", client_id="test", partitions=2)
    await bus.create_topics()
    common: dict[str, Any] = {
        "kafka_bootstrap": kafka, "bus_namespace": bus.namespace, "topic_partitions": 2,
        "port": 0, "public_url": PUBLIC_URL,
    }  # fmt: skip

    def given(service: str) -> dict[str, Any]:
        return {**common, "database_url": urls(service), "keyring": keyrings.path(service)}

    async with AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        apis: Apis = {}
        partner: dict[str, str] = {}

        async def add(service: str, role: Role) -> Api:
            stack.push_async_callback(role.closing.aclose)
            assert role.app is not None
            # An address on the network that no other test has: sign-ups are braked by it.
            address = f"{random.randrange(1, 224)}.{random.randrange(256)}.7.7"
            transport = httpx2.ASGITransport(
                app=role.app, client=(address, 40_000), raise_app_exceptions=False
            )
            client = httpx2.AsyncClient(transport=transport, base_url="http://test")
            opened = await stack.enter_async_context(client)
            apis[service] = Api(service, role, opened, keyrings, bus, partner)
            return apis[service]

        door = take_port()
        stack.callback(door.close)
        replica = await geofence.assemble(
            "replica", GeofenceSettings(**given("geofence"), dispatcher_url=url_of(door))
        )
        near = await add("geofence", replica)
        # Alerts are not heard here: the index and the HTTP are all that is asked.
        tail = [part for part in replica.parts if part.name not in ("audience", "heartbeat")]
        await stack.enter_async_context(running(*tail))
        await eventually(lambda: _is_loaded(replica))
        url = await stack.enter_async_context(listening(near.app))
        await add(
            "subscriber",
            await subscriber.assemble("api", SubscriberSettings(**given("subscriber"))),
        )
        settings = DispatcherSettings(
            **given("dispatcher"), geofence_url=url, duty_address="duty@example.org",
            max_drafts_per_minute=100_000, max_cap_per_minute=100_000,
            twilio_account_sid=ACCOUNT, twilio_auth_token=TOKEN, sms_from=SMS_FROM,
            voice_from=VOICE_FROM, mail_from=MAIL_FROM,
        )  # fmt: skip
        far = await add("dispatcher", await dispatcher.assemble("api", settings))
        await stack.enter_async_context(listening(far.app, at=door))
        yield apis


def examples_of(content: dict[str, Any], document: dict[str, Any]) -> list[Any]:
    """Return the examples of a body: its own, or those of the model it names."""
    if "example" in content:
        return [content["example"]]
    if "examples" in content:
        return [one["value"] for one in content["examples"].values()]
    schema = content.get("schema", {})
    if "$ref" in schema and "examples" not in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema.get("examples", ()))


async def enrol(api: Api, **changes: Any) -> str:
    """Enrol a partner with the dispatcher, whose key is every service's from now on.

    Return its sender.
    """
    sender = f"{uuid4().hex}@example.org"
    body = {"name": "Weather", "sender": sender, "categories": ["Met"], "town": "*", **changes}
    answer = await api.client.post("/v1/partners", json=body, headers=api.headers("admin"))
    assert answer.status_code == 201, answer.text
    api.partner["X-Api-Key"] = answer.json()["api_key"]
    return sender


async def _is_loaded(role: Role) -> bool:
    await asyncio.sleep(0)
    return "index" not in await role.health.ready()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
