"""A real replica of the geofence in a process of its own, on servers of its own, asked by HTTP."""

import http.client
import json
import logging
import os
import re
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ANSWER_S = 120.0
# A benchmark asks more often than a person does.
FREE = {"CTALERT_GEOFENCE_PREVIEWS_A_MINUTE": "1000000"}
_OFFSET = re.compile(rb"^ctalert_index_next_offset\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status and the body, read as JSON where it is JSON."""

    status: int
    body: Any


@dataclass
class Replica:
    """Where the replica answers, its process id, and the environment it runs in."""

    port: int
    health_url: str
    pid: int
    environment: Mapping[str, str]
    logs: Path
    patience_s: float = ANSWER_S
    _line: http.client.HTTPConnection | None = None

    def post(
        self,
        path: str,
        body: bytes,
        *,
        token: str,
        media: str = "application/json",
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Post over a connection that is kept; a body is sent as it is.

        Raises:
            OSError: no answer came.
        """
        line = self._line or http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=self.patience_s
        )
        self._line = line
        known = {"Authorization": f"Bearer {token}", "Content-Type": media}
        try:
            # An answer may come, and the connection close, before all of the body is sent.
            with suppress(BrokenPipeError, ConnectionResetError):
                line.request("POST", path, body, known | dict(headers))
            answer = line.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            self.hang_up()
            raise ConnectionError(repr(error)) from error
        except OSError:
            self.hang_up()
            raise
        return Answer(answer.status, _read(text))

    def another(self, *, patience_s: float = ANSWER_S) -> "Replica":
        """Return the same replica over a connection of its own, waited for so many seconds."""
        return replace(self, patience_s=patience_s, _line=None)

    def hang_up(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def indexed(self) -> int:
        """Return how many records of the roster topic the index has taken in."""
        url = f"{self.health_url}/metrics"
        with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:  # noqa: S310  an http of ours
            return int(sum(float(value) for value in _OFFSET.findall(answer.read())))


@contextmanager
def servers_apart() -> Iterator[Mapping[str, str]]:
    """Hold migrated databases and topics in a data folder of their own; give the environment."""
    # What it retries while topics are new is nobody's concern here.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="ctalert-bench-", dir="/var/tmp"))
    folder.chmod(0o711)
    before = os.environ.get("CTALERT_DATA")
    os.environ["CTALERT_DATA"] = str(folder)
    # Imported here: the data folder has to be chosen first.
    from ctalert.adopt import servers
    from ctalert.commands.migrate import migrate
    from ctalert.embedded.process import free_port
    from ctalert.provision import provide

    try:
        with servers() as addresses:
            port = {"CTALERT_GEOFENCE_PORT": str(free_port()), "CTALERT_HEALTH_PORT": "0"}
            environment = provide(addresses, {**os.environ, **port, **FREE})
            migrate(environment)
            yield environment
    finally:
        os.environ.pop("CTALERT_DATA")
        if before is not None:
            os.environ["CTALERT_DATA"] = before
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_replica(environment: Mapping[str, str]) -> Iterator[Replica]:
    """Run `ctl run geofence:replica` as its supervisor does, until the end of the `with`."""
    from ctalert import supervise
    from ctalert.catalogue import choose_groups

    logs = Path(os.environ["CTALERT_DATA"]) / "logs"
    running = supervise.start(
        choose_groups(["geofence:replica"], simulators=False), environment, logs=logs
    )
    try:
        running.wait_ready()
        yield Replica(
            port=int(environment["CTALERT_GEOFENCE_PORT"]),
            health_url=running.health_urls["geofence"],
            pid=running.pids["geofence"],
            environment=environment,
            logs=logs,
        )
    finally:
        running.stop()


def _read(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
