"""Replicas as processes of their own, started and killed as on a server."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from ctalert.data_folder import CHECKOUT
from ctalert.embedded.process import free_port, tail, wait_until
from shared.bus.kafka.bus import Bus
from shared.security.keys import KeyRing
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase

START_S = 60.0
_RESIDENTS = re.compile(r"^ctalert_index_residents ([0-9.e+]+)$", re.MULTILINE)


@dataclass
class Replica:
    """One replica: `ctl run-roles geofence:replica` with ports, a log and a folder of its own."""

    log: Path
    snapshots: Path
    environment: dict[str, str]
    keyrings: KeyRings
    health_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self, *, failpoints: str = "") -> None:
        """Start it and return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ctalert", "run-roles", "geofence:replica"],
                cwd=CHECKOUT,
                env=self.environment
                | {
                    "CTALERT_HEALTH_PORT": str(self.health_port),
                    "CTALERT_GEOFENCE_PORT": str(self.port),
                    "CTALERT_GEOFENCE_SNAPSHOT_DIR": str(self.snapshots),
                    "CT_FAILPOINTS": failpoints,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_ready(self) -> None:
        """Return once it has the whole index and a part of the alerts."""
        assert wait_until(lambda: self._status("/readyz") == 200, START_S), tail(self.log, 40)

    def wait_dead(self) -> None:
        """Return once it was killed."""
        assert self._process is not None
        assert self._process.wait(START_S) == -signal.SIGKILL

    def residents(self) -> int:
        """Return how many residents its index knows."""
        found = _RESIDENTS.search(self._get(self.health_port, "/metrics").decode())
        assert found is not None
        return int(float(found[1]))

    def first_residents(self) -> int:
        """Return how many residents it knew before it had read any of the topic."""
        said = map(json.loads, self.log.read_text().splitlines())
        return int(next(one["residents"] for one in said if one["event"] == "index.built"))

    def people(self, corners: list[list[float]]) -> int:
        """Return how many people it finds in an area, as the dispatcher asks before approval."""
        issuer = KeyRing.load(self.keyrings.path("dispatcher")).tokens.issuer
        assert issuer is not None
        shape = {"type": "Polygon", "coordinates": [corners]}
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/internal/v1/areas/resolve",
            json.dumps({"area": {"include": [{"type": "geojson", "geometry": shape}]}}).encode(),
            {
                "Authorization": f"Bearer {issuer.issue(subject='dispatcher', roles=['service'])}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310
            return int(json.loads(answer.read())["estimate"]["people"])

    def remove(self) -> None:
        """End it, however it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def _status(self, path: str) -> int:
        assert self._process is not None
        assert self._process.poll() is None, tail(self.log, 40)
        try:
            self._get(self.health_port, path)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
        return 200

    def _get(self, port: int, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bytes(answer.read())


def make_replica(
    log: Path, *, bus: Bus, database: ServiceDatabase, keyrings: KeyRings, partitions: int
) -> Replica:
    """Make a replica on a test's own bus and database, not started."""
    return Replica(
        log,
        log.with_suffix(".snapshots"),
        {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "CTALERT_ENVIRONMENT": "development",
            "CTALERT_PARENT": str(os.getpid()),
            "CTALERT_KAFKA_BOOTSTRAP": bus.bootstrap,
            "CTALERT_BUS_NAMESPACE": bus.namespace,
            "CTALERT_TOPIC_PARTITIONS": str(partitions),
            "CTALERT_KEYRING": str(keyrings.path("geofence")),
            "CTALERT_GEOFENCE_KEYRING": str(keyrings.path("geofence")),
            "CTALERT_GEOFENCE_DATABASE_URL": database.app_url,
        },
        keyrings,
    )
