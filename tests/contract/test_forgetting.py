"""Request keys and rate windows do not pile up: whoever has such a table prunes it by a timer."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

import services.dispatcher.service as dispatcher
import services.geofence.service as geofence
import services.subscriber.service as subscriber
from services.dispatcher.settings import DispatcherSettings
from services.geofence.settings import GeofenceSettings
from services.subscriber.settings import SubscriberSettings
from shared.bus.kafka.bus import Bus
from shared.service import Role
from tests.conftest import KeyRings
from tests.contract.apis.desk import SERVICES
from tests.servers import ServiceDatabase
from tests.service.geofence.parts import eventually

# Which part of which role forgets.
FORGETS = {
    "subscriber": ("worker", "forgetting"),
    "geofence": ("relay", "forgetting"),
    "dispatcher": ("timers", "alerts.forget"),
}
KEYS = """
INSERT INTO {0}_idempotency (principal, key, digest, created_at)
SELECT 'p', n::text, '', now() - n * interval '1 day' FROM generate_series(0, 20) AS n
"""
WINDOWS = """
INSERT INTO {0}_rate (key, count, ends_at)
SELECT n::text::bytea, 1, now() + n * interval '1 hour' FROM generate_series(-9, 10) AS n
"""


async def test_only_these_services_have_such_tables(
    database: Callable[[str], ServiceDatabase],
) -> None:
    found = set()
    for service in SERVICES:
        connection = await asyncpg.connect(database(service).admin_url.replace("+asyncpg", ""))
        try:
            rows = await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE tablename ~ '_(idempotency|rate)$'"
            )
            found |= {row["tablename"] for row in rows}
        finally:
            await connection.close()
    assert found == {f"{one}_{table}" for one in FORGETS for table in ("idempotency", "rate")}


@pytest.mark.parametrize("service", FORGETS)
async def test_what_is_over_is_forgotten_and_the_rest_is_kept(
    service: str,
    fresh_database: Callable[[str], ServiceDatabase],
    keyrings: KeyRings,
    bus: Bus,
) -> None:
    made = fresh_database(service)
    role = await _assemble(service, made, keyrings, bus)
    [part] = [one for one in role.parts if one.name == FORGETS[service][1]]
    connection = await asyncpg.connect(made.admin_url.replace("+asyncpg", ""))
    try:
        await connection.execute(KEYS.format(service))
        await connection.execute(WINDOWS.format(service))

        async def left() -> tuple[int, int]:
            row = await connection.fetchrow(
                f"SELECT (SELECT count(*) FROM {service}_idempotency),"  # noqa: S608
                f" (SELECT count(*) FROM {service}_rate)"
            )
            return int(row[0]), int(row[1])

        assert await left() == (21, 20)
        stop = asyncio.Event()
        running = asyncio.create_task(part.run(stop))

        async def is_done() -> bool:
            return await left() == (7, 10)

        await eventually(is_done)
        stop.set()
        await running
        assert await left() == (7, 10)
    finally:
        await connection.close()
        await role.closing.aclose()


async def _assemble(service: str, made: ServiceDatabase, keyrings: KeyRings, bus: Bus) -> Role:
    given: dict[str, Any] = {
        "kafka_bootstrap": bus.bootstrap, "bus_namespace": bus.namespace,
        "database_url": made.app_url, "keyring": keyrings.path(service),
    }  # fmt: skip
    name = FORGETS[service][0]
    if service == "subscriber":
        return await subscriber.assemble(name, SubscriberSettings(**given))
    if service == "geofence":
        return await geofence.assemble(name, GeofenceSettings(**given))
    return await dispatcher.assemble(name, DispatcherSettings(**given))
