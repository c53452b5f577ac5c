"""One running system for the journeys of a test process, with its own servers and folder."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from ctalert.embedded.account import make_passable
from tests.journey.stage import Stage
from tests.journey.system import System
from tests.servers import TestRun


@pytest.fixture(scope="session")
def system(test_run: TestRun) -> Iterator[System]:
    """`ctl run all` with make-believe residents."""
    folder = test_run.folder / f"journey-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)
    make_passable(test_run.programs)
    (folder / "programs").symlink_to(test_run.programs)
    system = System(folder)
    try:
        system.start()
        system.seed()
        yield system
        system.stop()
    finally:
        system.remove()


@pytest.fixture(scope="session")
async def stage(system: System) -> AsyncIterator[Stage]:
    """The system's interfaces and who lives there."""
    async with system.world() as world:
        stage = Stage(system, world)
        await stage.rules()
        yield stage
