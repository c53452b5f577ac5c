"""The stage that most tests of delivery stand on."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.service.dispatcher.delivery.stage import Stage, open_stage


@pytest.fixture
async def stage(database: Any, keyrings: Any) -> AsyncIterator[Stage]:
    """A stage on the database that all tests share."""
    async with open_stage(database("dispatcher"), keyrings) as opened:
        yield opened
