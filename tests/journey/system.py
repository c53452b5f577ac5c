"""The whole system as a process of its own: started, killed and stopped like anybody's."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from ctalert.data_folder import CHECKOUT
from ctalert.demo.ask import World
from ctalert.demo.people import Person
from ctalert.demo.roster import read_roster
from ctalert.embedded.kafka import Broker
from ctalert.embedded.postgres import Postgres
from ctalert.embedded.process import free_ports, tail, wait_until
from shared.security.keys import KeyRing

RESIDENTS = 300
PORTS = ("SUBSCRIBER", "GEOFENCE", "DISPATCHER", "SIMULATOR", "SIMULATOR_SMTP")
GIVEN = ("DATABASE_URL", "KAFKA_BOOTSTRAP", "CTALERT_KAFKA_BOOTSTRAP", "CT_FAILPOINTS")
PROCESSES = 7
# Few, so that what an alert is in the middle of can be a small part of it.
SLOTS = {"SMS": 16, "VOICE": 8, "EMAIL": 8}
_PR_SET_PDEATHSIG = 1


class System:
    """`ctl run all` in a data folder of its own, with its own servers and ports."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.postgres, self.broker = Postgres(data / "postgres"), Broker(data / "kafka")
        self._failpoints = data / "failpoints"
        self._said = 0
        self._running: subprocess.Popen[bytes] | None = None
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in GIVEN},
            **{f"CTALERT_{name}_PORT": str(port) for name, port in self.ports.items()},
            **{f"CTALERT_{name}_SLOTS": str(slots) for name, slots in SLOTS.items()},
            "CTALERT_HEALTH_PORT": "0",
            "CTALERT_DATA": str(data),
            "PYTHONPATH": str(CHECKOUT),
        }

    @property
    def people(self) -> list[Person]:
        """The residents the seed has taken in."""
        return read_roster(self.data / "residents.jsonl")

    @property
    def log(self) -> Path:
        """What all its processes say."""
        return self.data / "run.log"

    def start(self, *, failpoints: str = "") -> None:
        """Start it, and return when every process is ready."""
        self._failpoints.write_text(failpoints, "utf-8")
        self._said = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, "-m", "ctalert", "run", "all"],
                cwd=CHECKOUT,
                env=self._environment | {"CT_FAILPOINTS": f"@{self._failpoints}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        assert wait_until(self._is_up, 120), tail(self.log, 40)

    def spare(self) -> None:
        """Arm no failpoint in any process that is started from now on."""
        self._failpoints.write_text("", "utf-8")

    def seed(self) -> None:
        """Take the make-believe residents in, as `ctl seed` does."""
        self.ctl("seed", "--residents", str(RESIDENTS))

    def ctl(self, *words: str) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "ctalert", *words],
            cwd=CHECKOUT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self._running is not None:
            self._running.send_signal(signal.SIGINT)
            self._running.wait(90)

    def processes(self, *roles: str) -> list[psutil.Process]:
        """Return the processes that run these roles, or all of them."""
        assert self._running is not None
        children = psutil.Process(self._running.pid).children()
        return [one for one in children if not roles or {*roles} & {*_words(one)}]

    def kill(self, *roles: str) -> list[int]:
        """Kill the processes of these roles as a crash does; the supervisor starts them again."""
        victims = self.processes(*roles)
        assert len(victims) == len(roles)
        for one in victims:
            one.kill()
        psutil.wait_procs(victims, timeout=10)
        return [one.pid for one in victims]

    def kill_everything(self) -> None:
        """Kill every process of ours, the database server and the broker, all by their own ids."""
        assert self._running is not None
        ours = [psutil.Process(self._running.pid), *self.processes()]
        assert len(ours) == 1 + PROCESSES
        for one in ours:
            one.kill()
        self.postgres.kill()
        self.broker.kill()
        self._running.wait(10)
        psutil.wait_procs(ours, timeout=10)

    def lose_kafka(self) -> None:
        """Stop the broker and lose everything it held; the next start makes an empty one."""
        self.broker.kill()
        shutil.rmtree(self.data / "kafka" / "logs")

    def remove(self) -> None:
        """End whatever is left of it; its words stay until the next such run."""
        if self._running is not None and self._running.poll() is None:
            self._running.kill()
            self._running.wait(10)
        self.broker.kill()
        self.postgres.stop()
        if self.log.exists():
            self.log.replace(self.data.parent.parent / "journey.log")
        shutil.rmtree(self.data, ignore_errors=True)

    def world(self) -> World:
        """Return its interfaces, to be entered."""
        names = {"simulators": "SIMULATOR", "subscriber": "SUBSCRIBER",
                 "geofence": "GEOFENCE", "dispatcher": "DISPATCHER"}  # fmt: skip
        return World(**{one: self._address(names[one]) for one in names})

    def token(self, role: str, *, subject: str) -> str:
        """Return a bearer token that is just issued."""
        issuer = KeyRing.load(self.data / "keys" / "issuer.json").tokens.issuer
        assert issuer is not None
        return issuer.issue(subject=subject, roles=[role], town="*")

    def _address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def _is_up(self) -> bool:
        assert self._running is not None
        assert self._running.poll() is None, tail(self.log, 40)
        with self.log.open("rb") as log:
            log.seek(self._said)
            return b"\nready\n" in log.read()


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
