"""Tile38 as a peer: its server built with Go, spoken to over a socket in Redis's protocol."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import shapely

from benchmarks.peers.peer import Absent, Count
from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd
from ctalert.data_folder import open_data_folder
from ctalert.embedded.process import free_port

MODULE = "github.com/tidwall/tile38/cmd/tile38-server@latest"
TOGETHER = 10_000
START_S = 30.0
ANSWER_S = 600.0


@contextmanager
def tile38(crowd: Crowd, areas: list[Area]) -> Iterator[Count]:
    """Run a server of our own with all places in it; give what counts those in an area.

    Raises:
        Absent: there is no Go here, or it cannot build the server.
    """
    program = _program()
    port = free_port()
    folder = tempfile.mkdtemp(prefix="ctalert-tile38-", dir="/var/tmp")
    server = subprocess.Popen(
        [program, "-h", "127.0.0.1", "-p", str(port), "-d", folder, "-appendonly", "no"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with _connect(port) as line:
            _load(line, crowd)
            shapes = {area.name: shapely.to_geojson(area.geometry) for area in areas}

            def count(area: Area) -> int:
                return int(line.ask("INTERSECTS", "place", "COUNT", "OBJECT", shapes[area.name]))

            yield count
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _program() -> Path:
    """Return the server's program, built once and kept in the data folder.

    Raises:
        Absent: there is no Go here, or it cannot build the server.
    """
    folder = open_data_folder() / "tile38"
    program = folder / "tile38-server"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise Absent("no Go on PATH to build Tile38 with")
    sys.stderr.write("geofence: building Tile38\n")
    own = {"GOBIN": str(folder), "GOPATH": str(folder / "go"), "GOCACHE": str(folder / "cache")}
    built = subprocess.run(
        [go, "install", "-modcacherw", MODULE],
        env={**os.environ, **own},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    for name in ("go", "cache"):
        shutil.rmtree(folder / name, ignore_errors=True)
    if built.returncode != 0:
        sys.stderr.write(built.stderr)
        raise Absent("Go is on PATH but `go install` of Tile38 failed here: see standard error")
    return program


def _load(line: "_Line", crowd: Crowd) -> None:
    for at in range(0, len(crowd), TOGETHER):
        lon = crowd.lon[at : at + TOGETHER].tolist()
        lat = crowd.lat[at : at + TOGETHER].tolist()
        commands = [
            _command("SET", "place", str(at + nth), "POINT", repr(y), repr(x))
            for nth, (x, y) in enumerate(zip(lon, lat, strict=True))
        ]
        line.tell(b"".join(commands), answers=len(commands))


def _command(*words: str) -> bytes:
    coded = [word.encode() for word in words]
    return b"*%d\r\n" % len(coded) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in coded)


class _Line:
    """One connection; answers are a line each: a number, a simple word or an error."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers = connection.makefile("rb")

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._connection.close()

    def ask(self, *words: str) -> str:
        """Return the answer to one command."""
        self._connection.sendall(_command(*words))
        return self._read()

    def tell(self, commands: bytes, *, answers: int) -> None:
        """Send commands together and read all their answers."""
        self._connection.sendall(commands)
        for _ in range(answers):
            self._read()

    def _read(self) -> str:
        answer = self._answers.readline().decode().strip()
        if not answer or answer[0] not in ":+":
            raise RuntimeError(f"Tile38 answers {answer[:200]!r}")
        return answer[1:]


def _connect(port: int) -> _Line:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return _Line(socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
