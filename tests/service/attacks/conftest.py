"""The services' doors, as an attacker finds them."""

import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx2
import pytest

from services.subscriber.service import make_app_of, make_context
from services.subscriber.settings import SubscriberSettings
from shared.bus.kafka.bus import Bus
from shared.db.session import open_database
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.dispatcher.alerts.desk import Desk as Dispatcher
from tests.service.dispatcher.alerts.desk import open_desk as open_dispatcher
from tests.service.geofence.desk import Desk as Geofence
from tests.service.geofence.desk import open_desk as open_geofence
from tests.service.geofence.desk import settings_for
from tests.service.subscriber.desk import Desk as Subscriber


@pytest.fixture(scope="module")
async def opened(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[Dispatcher]:
    async with open_dispatcher(database("dispatcher"), keyrings) as desk:
        yield desk


@pytest.fixture
def dispatcher(opened: Dispatcher) -> Dispatcher:
    """The dispatcher's API."""
    opened.geofence.reset()
    opened.clock.ahead = timedelta(0)
    return opened


@pytest.fixture(scope="module")
async def geofence(
    long_bus: Bus, database: Callable[[str], ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[Geofence]:
    """A geofence replica."""
    async with open_geofence(
        settings_for(long_bus, database("geofence"), keyrings), keyrings
    ) as desk:
        yield desk


@pytest.fixture
async def subscriber(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[Subscriber]:
    """The subscriber service, asked from a network of the test's own."""
    url = database("subscriber").app_url
    settings = SubscriberSettings(
        kafka_bootstrap="unused:1", database_url=url, keyring=keyrings.path("subscriber")
    )
    opened = open_database(url, application_name="test")
    counting = open_database(url, application_name="test:limits", pool_size=2)
    ring = keyrings.ring("subscriber")
    context = make_context(settings, ring, database=opened, counting=counting)
    network = f"{random.randrange(1, 224)}.{random.randrange(256)}.{random.randrange(256)}.7"
    transport = httpx2.ASGITransport(app=make_app_of(context), client=(network, 40_000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Subscriber(client, context)
    await opened.close()
    await counting.close()
