"""Finding, waiting for and ending a server we started, by its process id and its command line."""

import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from ctalert.embedded.account import EmbeddedError

# Below every system's range of passing client ports: a port we want to have again after a kill
# must not be taken by somebody's outgoing connection meanwhile.
_PORTS = range(20_000, 30_000)
# A port is free until its server has started: so none is given twice by one process, and
# processes that choose at the same time choose from different shares.
_SHARES = 16
_given: set[int] = set()


def command_line(pid: int) -> str:
    """Return the command line of a living process, empty where there is none."""
    if Path("/proc/self/cmdline").exists():
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return "" if state == "Z" else words.replace(b"\0", b" ").decode(errors="replace")
    listed = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip()


def is_ours(pid: int | None, mark: Path) -> bool:
    """Return whether the process lives and names `mark`, a path of our own, in its command line.

    A process id alone proves nothing: after a crash it may belong to anybody.
    """
    return pid is not None and str(mark) in command_line(pid)


def end(pid: int | None, mark: Path, *, first: signal.Signals, patience_s: float) -> None:
    """Ask the process to end with the signal `first`, kill it when it has not, wait till gone."""
    if pid is None:
        return
    for sign, seconds in ((first, patience_s), (signal.SIGKILL, 10.0)):
        if not is_ours(pid, mark):
            return
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        if wait_until(lambda: not is_ours(pid, mark), seconds):
            return
    raise EmbeddedError(f"process {pid} does not end, not even when killed")


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Poll until the condition holds; return False when it did not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def free_port(wanted: int | None = None) -> int:
    """Return the wanted port where it is free on 127.0.0.1, else a free one."""
    chance = random.SystemRandom()
    # The kernel takes a killed server's sockets down a moment after the process is gone.
    if wanted and wait_until(lambda: _is_free(wanted), 3):
        return wanted
    for _ in range(1000):
        port = chance.choice(_PORTS[os.getpid() % _SHARES :: _SHARES])
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise EmbeddedError(f"no port from {_PORTS.start} to {_PORTS.stop} is free on 127.0.0.1")


def free_ports(count: int, *, beginning: int | None = None) -> list[int]:
    """Return so many different free ports on 127.0.0.1, the first ones from `beginning` on."""
    if beginning is not None:
        free = filter(_is_free, range(beginning, _PORTS.start))
        return list(islice(free, count))
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do themselves: connections of a killed server linger without harm.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def read_record(file: Path) -> dict[str, Any]:
    """Return what was remembered in the file, empty where there is nothing to read."""
    try:
        record = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(file: Path, record: dict[str, Any], *, mode: int = 0o600) -> None:
    """Write a small JSON file whole or not at all."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as lines:
        json.dump(record, lines, indent=1)
    partial.replace(file)


def tail(file: Path, lines: int = 8) -> str:
    """Return the last lines of a log file, for the sentence that says why a start failed."""
    try:
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
