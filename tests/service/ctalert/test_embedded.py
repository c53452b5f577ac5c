"""The embedded servers: killed, left behind by a crash, started again with what they held."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ctalert.embedded import jars
from ctalert.embedded.account import EmbeddedError, server_account
from ctalert.embedded.kafka import Broker
from ctalert.embedded.postgres import Postgres
from ctalert.embedded.process import command_line, free_port, is_ours, wait_until
from shared.bus.kafka.bus import Bus
from shared.events.topics import HEARTBEAT
from tests.servers import TestRun


@pytest.fixture
def postgres_server(data_folder: Path) -> Iterator[Postgres]:
    """A server of the test's own."""
    server = Postgres(data_folder / "postgres")
    server.start()
    yield server
    # A killed server leaves its shared memory behind.
    server.stop()


@pytest.fixture(scope="module")
def broker_folder(test_run: TestRun) -> Path:
    """One folder for the module's broker tests."""
    folder = test_run.folder / f"broker-{os.getpid()}"
    folder.mkdir(mode=0o711, exist_ok=True)
    folder.chmod(0o711)
    return folder


@pytest.fixture
def broker(broker_folder: Path, test_run: TestRun) -> Iterator[Broker]:
    """A broker of the module's own, running."""
    server = Broker(broker_folder / "kafka", programs=test_run.programs)
    server.start()
    yield server
    server.kill()


async def test_postgres_keeps_what_was_committed_before_a_kill(postgres_server: Postgres) -> None:
    """kill -9 and start again: same address, same rows."""
    url = postgres_server.url
    first = await asyncpg.connect(url)
    await first.execute("CREATE TABLE kept AS SELECT 1 AS one")
    first.terminate()
    postgres_server.kill()
    assert postgres_server.pid is None
    assert postgres_server.start() == url
    again = await asyncpg.connect(url)
    assert await again.fetchval("SELECT one FROM kept") == 1
    await again.close()


def test_postgres_starts_over_a_process_id_that_is_somebody_elses(
    postgres_server: Postgres,
) -> None:
    """After a crash the number in postmaster.pid may be any process's, here our own."""
    postgres_server.kill()
    left = postgres_server.log.parents[1] / "data" / "postmaster.pid"
    lines = left.read_text().splitlines()
    left.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert postgres_server.pid is None
    postgres_server.start()
    assert postgres_server.pid not in (None, os.getpid())


def test_a_running_postgres_is_adopted(postgres_server: Postgres) -> None:
    """Whoever names the folder finds the same server."""
    other = Postgres(postgres_server.log.parents[1])
    assert other.start() == postgres_server.url
    assert other.pid == postgres_server.pid


def test_postgres_refuses_a_wrong_password_and_other_hosts(postgres_server: Postgres) -> None:
    """No trust, no socket file, 127.0.0.1 only."""
    line = command_line(postgres_server.pid or 0)
    assert "listen_addresses=127.0.0.1" in line
    rules = (postgres_server.log.parents[1] / "data" / "pg_hba.conf").read_text()
    methods = {row.split()[-1] for row in rules.splitlines() if row and not row.startswith("#")}
    assert methods == {"scram-sha-256"}


def test_servers_do_not_run_as_root(postgres_server: Postgres, broker: Broker) -> None:
    """Also when root starts them."""
    for pid in (postgres_server.pid, broker.pid):
        assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_starting_holds_no_pipe_of_the_caller(data_folder: Path) -> None:
    """A script that reads a command's output gets its end, though the server runs on."""
    code = (
        "import sys, pathlib; from ctalert.embedded.postgres import Postgres\n"
        "Postgres(pathlib.Path(sys.argv[1])).start()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(data_folder / "postgres")],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b""
    assert Postgres(data_folder / "postgres").pid is not None


async def test_kafka_keeps_its_topics_and_its_address_over_a_kill(broker: Broker) -> None:
    """kill -9 and start again, on the same port."""
    address = broker.bootstrap
    bus = Bus(address, client_id="test", partitions=1)
    await bus.create_topics([HEARTBEAT])
    topic_id = await bus.topic_id(HEARTBEAT)
    broker.kill()
    assert not broker.answers()
    assert broker.start() == address
    assert await bus.topic_id(HEARTBEAT) == topic_id
    await bus.close()


def test_kafkas_messages_are_closed_to_other_users(broker: Broker, broker_folder: Path) -> None:
    """Residents' places are in them; a folder left open is closed by adopting and by starting."""
    logs = broker_folder / "kafka" / "logs"
    assert logs.stat().st_mode & 0o777 == 0o700
    assert logs.stat().st_uid == Path(f"/proc/{broker.pid}").stat().st_uid
    logs.chmod(0o755)
    Broker(broker_folder / "kafka").start()
    assert logs.stat().st_mode & 0o777 == 0o700
    broker.kill()
    logs.chmod(0o755)
    broker.start()
    assert logs.stat().st_mode & 0o777 == 0o700


def test_a_running_kafka_is_adopted(broker: Broker, broker_folder: Path) -> None:
    """Whoever names the folder finds the same server."""
    other = Broker(broker_folder / "kafka")
    assert other.start() == broker.bootstrap
    assert other.pid == broker.pid


def test_kafka_is_not_started_on_a_jar_that_was_tampered_with(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checksums are compared before Java sees a jar."""
    jars.fetch_jars()
    cache = tmp_path / "kafka"
    cache.mkdir()
    for jar in jars.pinned_jars():
        (cache / jar.file_name).symlink_to(jars.CACHE / jar.file_name)
    tampered = cache / jars.pinned_jars()[0].file_name
    tampered.unlink()
    tampered.write_bytes(b"not the jar")
    monkeypatch.setattr(jars, "CACHE", cache)
    with pytest.raises(EmbeddedError, match="is not the jar pinned"):
        Broker(data_folder / "kafka").start()
    assert Broker(data_folder / "kafka").pid is None


def test_a_process_is_known_by_its_command_line() -> None:
    """A process id alone proves nothing."""
    mark = Path(__file__)
    waiting = subprocess.Popen(
        [sys.executable, "-c", "input()", str(mark)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert wait_until(lambda: is_ours(waiting.pid, mark), 5)
        assert not is_ours(os.getpid(), mark / "other")
        assert not is_ours(None, mark)
    finally:
        waiting.send_signal(signal.SIGKILL)
        waiting.communicate()
    assert not is_ours(waiting.pid, mark)


def test_a_wanted_port_is_kept_while_it_is_free() -> None:
    """The address of a server stays what clients know."""
    port = free_port()
    assert free_port(port) == port


def test_a_folder_the_servers_user_cannot_reach_is_named(tmp_path: Path) -> None:
    """The sentence says what to give."""
    if server_account().uid is None:
        (tmp_path / "postgres").mkdir()  # an ordinary user reaches its own folders
        assert server_account().can_read([tmp_path / "postgres"])
        return
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError, match="CTALERT_DATA"):
        Postgres(closed / "postgres").start()


def test_the_record_of_a_server_is_closed_to_others(postgres_server: Postgres) -> None:
    """The superuser's password is in it."""
    record = postgres_server.log.parents[1] / "server.json"
    assert json.loads(record.read_text())["password"]
    assert record.stat().st_mode & 0o077 == 0
