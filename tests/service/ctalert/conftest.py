"""A data folder of a test's own, where the servers' user can reach it."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctalert.embedded.account import make_passable
from ctalert.embedded.kafka import Broker
from ctalert.embedded.postgres import Postgres
from tests.servers import TestRun


@pytest.fixture
def data_folder(test_run: TestRun, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder of commands in this test; nothing is given by the environment."""
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP", "CTALERT_KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(name, raising=False)
    folder = test_run.folder / f"data-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)
    make_passable(test_run.programs)
    (folder / "programs").symlink_to(test_run.programs)
    monkeypatch.setenv("CTALERT_DATA", str(folder))
    yield folder
    Postgres(folder / "postgres").stop()
    Broker(folder / "kafka").kill()
