"""Services run by commands of their own, beside one another on the same embedded servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest

from ctalert.commands.run import hold_places
from ctalert.data_folder import CHECKOUT
from ctalert.embedded.account import EmbeddedError
from ctalert.embedded.kafka import Broker
from ctalert.embedded.postgres import Postgres
from ctalert.embedded.process import free_port

SERVICES = ("SUBSCRIBER", "GEOFENCE", "DISPATCHER")


class Command:
    """A `ctl` command in a process of its own, and what it says."""

    def __init__(self, *words: str, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ctalert", *words], cwd=CHECKOUT, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said: list[str] = []
        self._lines: Queue[str] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, line: str, seconds: float = 90) -> None:
        """Return when it has said the line."""
        while line not in self.said:
            try:
                self.said.append(self._lines.get(timeout=seconds))
            except Empty:
                pytest.fail("".join(f"{one}\n" for one in self.said[-20:]))

    def end(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(90)

    def close(self) -> None:
        """Kill it where it still runs, and read its last words."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stderr
        with self.process.stderr as lines:
            for line in lines:
                self._lines.put(line.rstrip("\n"))


@pytest.fixture
def ports() -> dict[str, str]:
    """Ports of the test's own."""
    return {name: str(free_port()) for name in SERVICES}


@pytest.fixture
def ctl(data_folder: Path, ports: dict[str, str]) -> Iterator[Callable[..., Command]]:
    """Start commands that share a data folder."""
    given = {f"CTALERT_{name}_PORT": port for name, port in ports.items()}
    environment = {"PATH": os.environ["PATH"], "CTALERT_DATA": str(data_folder), **given}
    begun: list[Command] = []

    def start(*words: str) -> Command:
        begun.append(Command(*words, environment=environment))
        return begun[-1]

    yield start
    for one in begun:
        one.close()


def test_two_services_run_side_by_side_and_the_last_stops_the_servers(
    ctl: Callable[..., Command], ports: dict[str, str], data_folder: Path
) -> None:
    postgres, broker = Postgres(data_folder / "postgres"), Broker(data_folder / "kafka")
    first = ctl("run", "geofence")
    first.until("ready")
    servers = (postgres.pid, broker.pid)
    second = ctl("run", "subscriber")
    second.until("ready")
    third = ctl("run", "subscriber:api")
    assert third.process.wait(60) == 1
    third.until(
        f"ctl run: subscriber:api of this checkout runs already on port {ports['SUBSCRIBER']}: "
        "stop that command first, or give subscriber:api another CTALERT_SUBSCRIBER_PORT"
    )
    assert first.end() == 0
    assert (postgres.pid, broker.pid) == servers
    assert second.process.poll() is None
    assert second.end() == 0
    assert (postgres.pid, broker.pid) == (None, None)


def test_a_role_that_listens_is_held_by_its_port(data_folder: Path) -> None:
    """Workers are held by nobody; another port is another place."""
    usual = {"CTALERT_DATA": str(data_folder)}
    with hold_places(["geofence:replica", "dispatcher:sms"], usual):
        with hold_places(["dispatcher:sms", "subscriber:api"], usual):
            pass
        with hold_places(["geofence:replica"], {**usual, "CTALERT_GEOFENCE_PORT": "9999"}):
            pass
        with (
            pytest.raises(EmbeddedError, match=r"geofence:replica .* CTALERT_GEOFENCE_PORT"),
            hold_places(["dispatcher:sms", "geofence:replica"], usual),
        ):
            pass
    with hold_places(["geofence:replica"], usual):
        pass
