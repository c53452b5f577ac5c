"""In which order the files of a run are handed to its processes."""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

JOURNEYS = "tests/journey"


class FileByFile(LoadFileScheduling):
    """A file at a time; the journeys are one, so that one process runs the one system of all."""

    def _split_scope(self, nodeid: str) -> str:
        return JOURNEYS if nodeid.startswith(JOURNEYS) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile | None:
    """Keep files in the order in which they were collected: few tests are not soon done."""
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return FileByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the journeys: they wait more than they work, and take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(JOURNEYS))
