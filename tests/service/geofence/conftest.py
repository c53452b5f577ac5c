"""One geofence of a test's own."""

import os
from collections.abc import AsyncIterator, Callable

import pytest

from shared.bus.kafka.bus import Bus
from shared.db.session import open_database
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.world import World


@pytest.fixture
async def world(
    bus: Bus, fresh_database: Callable[..., ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[World]:
    """A geofence with an empty database and topics of its own; nothing of it runs."""
    database = open_database(fresh_database("geofence").app_url, application_name="test")
    async with bus.producer() as producer:
        yield World(
            bus=bus,
            database=database,
            keys=keyrings.ring("geofence"),
            dispatcher_keys=keyrings.ring("dispatcher"),
            producer=producer,
        )
    await database.close()


# Real boundaries are no part of this repository: their tests exist where their folder is named.
collect_ignore = [] if os.environ.get("CTALERT_TEST_DATA") else ["test_real_layers.py"]
