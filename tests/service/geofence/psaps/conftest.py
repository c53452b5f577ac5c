"""A directory of a test's own."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.geofence.psaps.desk import Desk, open_psaps


@pytest.fixture
async def desk(
    fresh_database: Callable[..., ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[Desk]:
    """The directory on an empty database."""
    async with open_psaps(fresh_database("geofence"), keyrings) as desk:
        yield desk
