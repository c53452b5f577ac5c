"""Processes under supervision: ready, started again when they die, ended when it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctalert import supervise
from ctalert.adopt import Addresses
from ctalert.catalogue import Group
from ctalert.data_folder import CHECKOUT
from ctalert.embedded.process import command_line, free_port, wait_until
from ctalert.provision import provide

SIMULATORS = Group("simulators", ("simulators:all",))


@pytest.fixture
def environment(data_folder: Path) -> dict[str, str]:
    """The settings of a try-out, on ports of the test's own."""
    ports = {
        "CTALERT_SIMULATOR_PORT": str(free_port()),
        "CTALERT_SIMULATOR_SMTP_PORT": str(free_port()),
        "CTALERT_HEALTH_PORT": "0",
    }
    # The simulators need no server; a given database keeps provisioning from looking for one.
    return provide(Addresses(None, None), {"PATH": os.environ["PATH"], **ports})


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[supervise.Running]:
    """The simulators under supervision."""
    running = supervise.start([SIMULATORS], environment, logs=tmp_path, say=lambda line: None)
    yield running
    running.stop()


def test_a_process_that_dies_is_started_again(running: supervise.Running) -> None:
    """kill -9, and it is ready once more under another process id."""
    running.wait_ready()
    first = running.pids["simulators"]
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: running.pids.get("simulators", first) != first, 20)
    running.wait_ready()
    assert running.restarts == {"simulators": 1}


def test_stop_ends_every_process(running: supervise.Running) -> None:
    """Nothing is left and nothing comes back."""
    running.wait_ready()
    pid = running.pids["simulators"]
    running.stop()
    assert running.pids == {}
    assert command_line(pid) == ""


def test_a_process_that_cannot_start_is_named_with_its_words(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The log's end is in the sentence, and every try is told."""
    told: list[str] = []
    del environment["CTALERT_TWILIO_AUTH_TOKEN"]
    running = supervise.start([SIMULATORS], environment, logs=tmp_path, say=told.append)
    try:
        assert wait_until(lambda: len(told) >= 2, 30)
        with pytest.raises(supervise.NotReady, match="CTALERT_TWILIO_AUTH_TOKEN"):
            running.wait_ready(0.1)
    finally:
        running.stop()
    assert told[0].startswith("simulators ended (")


def test_children_die_with_a_killed_supervisor(environment: dict[str, str], tmp_path: Path) -> None:
    """kill -9 of the supervisor leaves nobody holding the ports."""
    code = (
        "import os, pathlib, sys\n"
        "from ctalert import supervise; from ctalert.catalogue import Group\n"
        "group, logs = Group('simulators', ('simulators:all',)), pathlib.Path(sys.argv[1])\n"
        "running = supervise.start([group], os.environ, logs=logs)\n"
        "running.wait_ready(); print(running.pids['simulators'], flush=True); sys.stdin.read()"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**environment, "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert supervisor.stdout
    assert supervisor.stdin
    child = int(supervisor.stdout.readline())
    assert "simulators:all" in command_line(child)
    supervisor.kill()
    supervisor.wait()
    supervisor.stdin.close()
    supervisor.stdout.close()
    assert wait_until(lambda: command_line(child) == "", 10)


def test_processes_stop_in_reverse_with_the_channels_side_by_side() -> None:
    """APIs first, the simulators last; the budget covers the stages that may drain long."""
    names = ["simulators", "geofence", "flow", "sms", "voice", "email", "apis"]
    processes = [supervise._Process(Group(name, ()), 0, None) for name in names]
    stages = [[one.group.name for one in stage] for stage in supervise._stages(processes)]
    assert stages == [
        ["apis"], ["email", "voice", "sms"], ["flow"], ["geofence"], ["simulators"]
    ]  # fmt: skip
