"""The servers of one test run: started once by whoever asks first, shared by all its processes."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from ctalert.data_folder import open_data_folder
from ctalert.databases import (
    clone,
    drop,
    make_databases,
    other_database,
    role_names,
    run_apart,
    url_for,
)
from ctalert.embedded.cluster import Cluster
from ctalert.embedded.kafka import Broker
from ctalert.embedded.postgres import Postgres
from shared.db.migrate import upgrade

_ROOM_BYTES = 6 << 30


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """One database of one service, as its two roles and as the superuser reach it."""

    service: str
    name: str
    app_url: str
    owner_url: str
    admin_url: str


class TestRun:
    """The folder of one run; the controlling process makes and ends it, workers join by path."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = open_data_folder() / "programs"
        self._alive: int | None = None

    @classmethod
    def begin(cls) -> "TestRun":
        """Make a run's folder and end what killed runs left behind."""
        runs = open_data_folder(_where_files_are_cheap()) / "tests"
        runs.mkdir(mode=0o711, exist_ok=True)
        runs.chmod(0o711)
        run = cls(runs / uuid.uuid4().hex[:12])
        with (runs / "door").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            for left in runs.glob("*/"):
                _end_if_dead(cls(left))
            run.folder.mkdir(mode=0o711)
            run.folder.chmod(0o711)
            # Held till this process is gone, however it goes: it tells a living run from a dead.
            run._alive = os.open(run.folder / "alive", os.O_WRONLY | os.O_CREAT, 0o600)
            fcntl.flock(run._alive, fcntl.LOCK_EX)
        return run

    def postgres(self) -> str:
        """Return the superuser's URL of the run's server, started where it is not."""
        given = os.environ.get("DATABASE_URL")
        if given:
            return other_database(given, "postgres")
        with self._door("postgres"):
            return self._postgres.start()

    def kafka(self) -> str:
        """Return the bootstrap address of the run's broker, started where it is not."""
        given = os.environ.get("KAFKA_BOOTSTRAP")
        if given:
            return given
        with self._door("kafka"):
            return self._broker.start()

    def cluster(self, name: str) -> Cluster:
        """Return three brokers of the caller's own, not started."""
        folder = self.folder / name
        folder.mkdir(mode=0o711)
        folder.chmod(0o711)
        return Cluster(folder, programs=self.programs)

    def database(self, service: str, *, migrated: bool = True) -> ServiceDatabase:
        """Return a new database of the service, migrated to its newest schema or empty."""
        admin_url = self.postgres()
        name = f"t_{self.folder.name}_{service}_{uuid.uuid4().hex[:8]}"
        if migrated:
            with self._door(f"template-{service}"):
                template = self._template(service, admin_url)
            run_apart(_clone(admin_url, name, service, template))
        else:
            self._make(service, name, admin_url)
        return self._named(service, name, admin_url)

    def forget(self, database: ServiceDatabase) -> None:
        """Drop a database that is not used any more."""
        run_apart(_drop(database.admin_url, database.name))

    def end(self) -> None:
        """Stop what runs and remove the folder."""
        if os.environ.get("DATABASE_URL"):
            run_apart(_drop(self.postgres(), f"t_{self.folder.name}"))
        self._broker.kill()
        self._postgres.stop()
        for folder in (*self.folder.glob("*/node*"), *self.folder.glob("journey-*/kafka")):
            Broker(folder).kill()
        for folder in self.folder.glob("journey-*/postgres"):
            Postgres(folder).stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None

    @property
    def _postgres(self) -> Postgres:
        return Postgres(self.folder / "postgres", durable=False, programs=self.programs)

    @property
    def _broker(self) -> Broker:
        return Broker(self.folder / "kafka", programs=self.programs)

    @contextlib.contextmanager
    def _door(self, name: str) -> Iterator[None]:
        with (self.folder / f"{name}.lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            yield

    def _template(self, service: str, admin_url: str) -> str:
        name = f"t_{self.folder.name}_{service}"
        ready = self.folder / f"template-{service}.ready"
        if not ready.exists():
            self._make(service, name, admin_url)
            upgrade(service, self._named(service, name, admin_url).owner_url)
            ready.touch()
        return name

    def _make(self, service: str, name: str, admin_url: str) -> None:
        passwords = {role: _password(admin_url, role) for role in role_names(service)}
        make_databases(admin_url, {service: name}, passwords=passwords)

    def _named(self, service: str, name: str, admin_url: str) -> ServiceDatabase:
        owner_url, app_url = (
            url_for(admin_url, role=role, password=_password(admin_url, role), database=name)
            for role in role_names(service)
        )
        admin = other_database(admin_url, name).replace("://", "+asyncpg://", 1)
        return ServiceDatabase(service, name, app_url, owner_url, admin)


def _where_files_are_cheap() -> Path:
    # Tests make thousands of topics and hundreds of databases: on a disk their files cost the
    # two servers more work than all the tests give them.
    memory = Path("/dev/shm")  # noqa: S108  the folder made there is checked
    try:
        has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= _ROOM_BYTES
    except FileNotFoundError:
        has_room = False
    return memory if has_room else Path("/var/tmp")  # noqa: S108  as above


def _password(admin_url: str, role: str) -> str:
    # Of the server and not of the run: two runs on one given server must not lock each other out.
    return hashlib.sha256(f"{admin_url} {role}".encode()).hexdigest()


def _end_if_dead(run: TestRun) -> None:
    try:
        with (run.folder / "alive").open("w") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            run.end()
    except BlockingIOError:
        return  # another run is under way
    except FileNotFoundError:
        shutil.rmtree(run.folder, ignore_errors=True)


async def _clone(admin_url: str, name: str, service: str, template: str) -> None:
    admin = await asyncpg.connect(admin_url)
    try:
        await clone(admin, name, service=service, template=template)
    finally:
        await admin.close()


async def _drop(admin_url: str, beginning: str) -> None:
    admin = await asyncpg.connect(other_database(admin_url, "postgres"))
    try:
        found = await admin.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", beginning
        )
        await drop(admin, [row["datname"] for row in found])
    finally:
        await admin.close()
