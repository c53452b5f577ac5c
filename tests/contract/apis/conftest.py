"""The three applications, one set a module, on real databases and a real broker."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import KeyRings
from tests.contract.apis.desk import Apis, enrol, open_apis
from tests.servers import ServiceDatabase


@pytest.fixture(scope="module")
async def apis(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings, kafka: str
) -> AsyncIterator[Apis]:
    """The three applications by their services' names, and a partner of the dispatcher's."""
    async with open_apis(lambda service: database(service).app_url, keyrings, kafka) as opened:
        await enrol(opened["dispatcher"])
        yield opened
