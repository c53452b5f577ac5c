"""What tests of every tier stand on: real servers, a database, a bus and keys of their own."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from ctalert.embedded.cluster import Cluster
from shared.bus.kafka.bus import Bus
from shared.events.topics import ALL
from shared.security.keys import KeyRing, make_keyrings
from tests.servers import ServiceDatabase, TestRun

pytest_plugins = ["tests.shows", "tests.turns"]

_RUN = pytest.StashKey[TestRun]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin the run in the controlling process; its workers join it by its folder."""
    # Unless told otherwise it draws every variable of every frame, which takes seconds a time.
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    given = getattr(config, "workerinput", {}).get("ctalert_run")
    config.stash[_RUN] = TestRun(Path(given)) if given else TestRun.begin()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell an xdist worker which run it belongs to."""
    node.workerinput["ctalert_run"] = str(node.config.stash[_RUN].folder)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers of the run, from the process that began it."""
    if not hasattr(config, "workerinput") and _RUN in config.stash:
        config.stash[_RUN].end()


@pytest.fixture(scope="session")
def test_run(request: pytest.FixtureRequest) -> TestRun:
    """The run: its folder and its servers."""
    return request.config.stash[_RUN]


@pytest.fixture(scope="session")
def postgres(test_run: TestRun) -> str:
    """The superuser's URL of the run's PostgreSQL (DATABASE_URL where it is set)."""
    return test_run.postgres()


@pytest.fixture(scope="module")
def database(test_run: TestRun) -> Iterator[Callable[[str], ServiceDatabase]]:
    """`database("dispatcher")`: that service's migrated database, one for the whole module."""
    made: dict[str, ServiceDatabase] = {}

    def give(service: str) -> ServiceDatabase:
        if service not in made:
            made[service] = test_run.database(service)
        return made[service]

    yield give
    for one in made.values():
        test_run.forget(one)


@pytest.fixture
def fresh_database(test_run: TestRun) -> Iterator[Callable[..., ServiceDatabase]]:
    """`fresh_database("dispatcher")`: one more migrated database; `migrated=False`: an empty."""
    made: list[ServiceDatabase] = []

    def give(service: str, *, migrated: bool = True) -> ServiceDatabase:
        made.append(test_run.database(service, migrated=migrated))
        return made[-1]

    yield give
    for one in made:
        test_run.forget(one)


@pytest.fixture(scope="session")
def kafka(test_run: TestRun) -> str:
    """The bootstrap address of the run's one broker (KAFKA_BOOTSTRAP where it is set)."""
    return test_run.kafka()


@pytest.fixture(scope="module")
def kafka_cluster(test_run: TestRun) -> Iterator[Cluster]:
    """Three brokers of the module's own: `.bootstrap`, `.kill(node)`, `.start(node)`."""
    cluster = test_run.cluster(f"cluster-{uuid.uuid4().hex[:8]}")
    cluster.start_all()
    yield cluster
    cluster.stop_all()


@asynccontextmanager
async def _open_bus(kafka: str) -> AsyncIterator[Bus]:
    bus = Bus(kafka, namespace=f"t{uuid.uuid4().hex[:8]}", client_id="test", partitions=2)
    await bus.create_topics()
    yield bus
    await bus.delete_topics(ALL)
    await bus.close()


@pytest.fixture
async def bus(kafka: str) -> AsyncIterator[Bus]:
    """A bus nobody else is on, all its topics made, two partitions each."""
    async with _open_bus(kafka) as bus:
        yield bus


@pytest.fixture(scope="module")
async def long_bus(kafka: str) -> AsyncIterator[Bus]:
    """A bus like that for a whole module."""
    async with _open_bus(kafka) as bus:
        yield bus


@dataclass(frozen=True, slots=True)
class KeyRings:
    """The folder of the run's key rings."""

    folder: Path

    def path(self, service: str) -> Path:
        """Return the file of a service's ring; `issuer` is the token issuer's."""
        return self.folder / f"{service}.json"

    def ring(self, service: str) -> KeyRing:
        """Return a service's ring."""
        return KeyRing.load(self.path(service))


@pytest.fixture(scope="session")
def keyrings(tmp_path_factory: pytest.TempPathFactory) -> KeyRings:
    """Key rings that belong together, as the embedded default makes them."""
    folder = tmp_path_factory.mktemp("keyrings")
    make_keyrings(folder)
    return KeyRings(folder)
