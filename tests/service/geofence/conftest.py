"""One geofence of a test's own."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from shared.bus.kafka.bus import Bus
from shared.db.session import open_database
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.desk import Desk, open_desk, settings_for
from tests.service.geofence.world import World


@asynccontextmanager
async def open_world(bus: Bus, url: str, keyrings: KeyRings) -> AsyncIterator[World]:
    """Open a geofence's database and bus for the length of a `with`; nothing of it runs."""
    database = open_database(url, application_name="test")
    async with bus.producer() as producer:
        yield World(
            bus=bus,
            database=database,
            keys=keyrings.ring("geofence"),
            dispatcher_keys=keyrings.ring("dispatcher"),
            producer=producer,
        )
    await database.close()


@pytest.fixture
async def world(
    bus: Bus, fresh_database: Callable[..., ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[World]:
    """A geofence with an empty database and topics of its own; nothing of it runs."""
    async with open_world(bus, fresh_database("geofence").app_url, keyrings) as world:
        yield world


@pytest.fixture(scope="module")
async def long_world(
    long_bus: Bus, database: Callable[[str], ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[World]:
    """A geofence for a whole module, for what plays on ground of its own."""
    async with open_world(long_bus, database("geofence").app_url, keyrings) as world:
        yield world


@pytest.fixture(scope="module")
async def long_desk(
    long_bus: Bus, database: Callable[[str], ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[Desk]:
    """A replica behind HTTP for a whole module, for what leaves nothing behind."""
    async with open_desk(settings_for(long_bus, database("geofence"), keyrings), keyrings) as desk:
        yield desk


# Real boundaries are no part of this repository: their tests exist where their folder is named.
_REAL = [
    "areas/test_real_areas.py",
    "index/test_real_places.py",
    "layers/test_real_layer_files.py",
    "layers/test_real_layers.py",
    "areas/test_real_previews.py",
]
collect_ignore = [] if os.environ.get("CTALERT_TEST_DATA") else _REAL
