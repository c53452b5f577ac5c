"""Commands share the servers: adopted, started for a command's duration, stopped by the last."""

import os
from pathlib import Path

import pytest

from ctalert.adopt import servers
from ctalert.embedded.kafka import Broker
from ctalert.embedded.postgres import Postgres
from ctalert.provision import keys_folder, provide
from shared.db.session import fetch_value, open_database
from shared.security.keys import KeyRing
from tests.servers import TestRun


def test_servers_last_as_long_as_somebody_uses_them(data_folder: Path) -> None:
    """The first command starts them, the last one stops them, in whatever order they leave."""
    postgres = Postgres(data_folder / "postgres")
    first, second = servers(kafka=False), servers(kafka=False)
    url = first.__enter__().database_url
    pid = postgres.pid
    assert second.__enter__().database_url == url
    first.__exit__(None, None, None)
    assert postgres.pid == pid
    second.__exit__(None, None, None)
    assert postgres.pid is None


def test_servers_left_by_a_killed_command_are_adopted(data_folder: Path) -> None:
    """And stopped by whoever adopted them."""
    postgres, broker = Postgres(data_folder / "postgres"), Broker(data_folder / "kafka")
    left = (postgres.start(), broker.start())
    pids = (postgres.pid, broker.pid)
    with servers() as addresses:
        assert (addresses.database_url, addresses.kafka_bootstrap) == left
        assert (postgres.pid, broker.pid) == pids
    assert (postgres.pid, broker.pid) == (None, None)


def test_given_servers_are_used_and_none_is_started(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DATABASE_URL and KAFKA_BOOTSTRAP always win."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody@db.example/postgres")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka.example:9092")
    with servers() as addresses:
        assert addresses.database_url == "postgresql://somebody@db.example/postgres"
        assert addresses.kafka_bootstrap == "kafka.example:9092"
    assert not (data_folder / "postgres").exists()


async def test_provisioning_twice_gives_the_same(data_folder: Path) -> None:
    """Databases, passwords, keys and account stay; the roles can log in and are not superuser."""
    given = {"PATH": os.environ["PATH"]}
    with servers(kafka=False) as addresses:
        made = provide(addresses, given)
        assert provide(addresses, given) == made
        for service in ("subscriber", "geofence", "dispatcher"):
            assert KeyRing.load(made[f"CTALERT_{service.upper()}_KEYRING"]).service == service
            database = open_database(
                made[f"CTALERT_{service.upper()}_DATABASE_URL"], application_name="test"
            )
            async with database.transaction() as tx:
                assert await fetch_value(tx, "SELECT current_user") == f"{service}_app"
                assert await fetch_value(tx, "SELECT current_database()") == f"ctalert_{service}"
            await database.close()


def test_what_is_secret_is_closed_to_others(data_folder: Path) -> None:
    """Passwords and keys, though root's folder can be passed through."""
    with servers(kafka=False) as addresses:
        provide(addresses, {})
    assert (data_folder / "secrets.json").stat().st_mode & 0o077 == 0
    assert keys_folder().stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in keys_folder().glob("*.json"))


def test_a_test_run_ends_what_a_killed_run_left(test_run: TestRun) -> None:
    """A run that nobody holds any more is stopped and removed; one under way is left alone."""
    dead = TestRun(test_run.folder.parent / f"dead-{os.getpid()}")
    dead.folder.mkdir(mode=0o711)
    (dead.folder / "alive").touch()
    server = Postgres(dead.folder / "postgres", durable=False, programs=dead.programs)
    dead.folder.chmod(0o711)
    server.start()
    TestRun.begin().end()
    assert server.pid is None
    assert not dead.folder.exists()
    assert test_run.folder.exists()
