"""The subscriber service on a real database: its HTTP, its outbox, its residents."""

import random
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest

from services.subscriber.service import make_app_of, make_context
from services.subscriber.settings import SubscriberSettings
from shared.db.session import open_database
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.subscriber.desk import Desk


@pytest.fixture
async def desk(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[Desk]:
    """A desk of the service, at an address on the network that no other test has."""
    url = database("subscriber").app_url
    settings = SubscriberSettings(
        kafka_bootstrap="unused:1", database_url=url, keyring=keyrings.path("subscriber")
    )
    opened = open_database(url, application_name="test")
    counting = open_database(url, application_name="test:limits", pool_size=2)
    context = make_context(
        settings, keyrings.ring("subscriber"), database=opened, counting=counting
    )
    network = f"{random.randrange(1, 224)}.{random.randrange(256)}.{random.randrange(256)}.7"
    transport = httpx2.ASGITransport(app=make_app_of(context), client=(network, 40_000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Desk(client, context)
    await opened.close()
    await counting.close()
