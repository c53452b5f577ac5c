"""PostgreSQL and Kafka for a command: the given ones, the running ones, or started for it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ctalert.data_folder import open_data_folder
from ctalert.embedded.kafka import Broker
from ctalert.embedded.postgres import Postgres

_DATABASE = ("DATABASE_URL",)
_KAFKA = ("CTALERT_KAFKA_BOOTSTRAP", "KAFKA_BOOTSTRAP")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are: a superuser's URL and a bootstrap address; None where not asked."""

    database_url: str | None
    kafka_bootstrap: str | None


@contextlib.contextmanager
def servers(*, database: bool = True, kafka: bool = True) -> Iterator[Addresses]:
    """Hold the servers for the length of a `with`.

    What the environment names is used as it is. Embedded servers are adopted where they run and
    else started; the last command that uses them stops them on its way out. A command that is
    killed leaves them running for the next.

    Raises:
        EmbeddedError: they cannot be started here.
    """
    database_url, bootstrap = _given(_DATABASE), _given(_KAFKA)
    wants_postgres, wants_broker = database and not database_url, kafka and not bootstrap
    if not (wants_postgres or wants_broker):
        yield Addresses(database_url, bootstrap)
        return
    data = open_data_folder()
    postgres, broker = Postgres(data / "postgres"), Broker(data / "kafka")
    with (data / "in-use").open("w") as use:
        try:
            with _door(data), ThreadPoolExecutor(max_workers=2) as pool:
                fcntl.flock(use, fcntl.LOCK_SH)
                starting = pool.submit(broker.start) if wants_broker else None
                if wants_postgres:
                    database_url = postgres.start()
                if starting:
                    bootstrap = starting.result()
            yield Addresses(database_url, bootstrap)
        finally:
            with _door(data):
                if _is_last(use):
                    broker.stop()
                    postgres.stop()


@contextlib.contextmanager
def _door(data: Path) -> Iterator[None]:
    """Let one command at a time start or stop the servers."""
    with (data / "door").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield


def _is_last(use: IO[str]) -> bool:
    """Return whether no other command holds the servers; the kernel forgets killed ones."""
    try:
        fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _given(names: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)
