"""The dispatcher's desk: one for a module, in its first mood for each test."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.service.dispatcher.alerts.desk import Desk, open_desk


@pytest.fixture(scope="module")
async def opened(database: Callable[[str], Any], keyrings: Any) -> AsyncIterator[Desk]:
    """An open desk with one partner enrolled, whose sender and key are in `keys`."""
    async with open_desk(database("dispatcher"), keyrings) as desk:
        sender, headers = await desk.enrol()
        desk.keys.update({"sender": sender, **headers})
        yield desk


@pytest.fixture
def desk(opened: Desk) -> Desk:
    """The desk, with the geofence and the clock as they were."""
    opened.geofence.reset()
    opened.clock.ahead = timedelta(0)
    return opened
