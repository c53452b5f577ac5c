"""Runs groups of roles, a process each: restarts what dies, stops all in reverse order."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctalert.catalogue import Group
from ctalert.data_folder import CHECKOUT
from ctalert.embedded.process import free_port, free_ports, tail
from ctalert.provision import without_owners

# A process drains for at most 20 s (shared/service.py) and gets 2 s more. Three stages need that
# in the worst case (APIs, channels, flow), so 66 s is the most a stop may take in all.
DRAIN_S = 22.0
BUDGET_S = 3 * DRAIN_S
_USUAL_HEALTH_PORT = 9081
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _STEADY_S = 0.5, 15.0, 30.0


class NotReady(Exception):
    """A process did not become ready in time; the text says which and what it last said."""


@dataclass
class _Process:
    group: Group
    health_port: int
    log: Path | None
    any_port: bool = False
    child: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    again_at: float = 0.0
    starts: int = 0


@dataclass
class Running:
    """Processes under supervision; made by `start`."""

    _processes: list[_Process]
    _environment: Mapping[str, str]
    _say: Callable[[str], None]
    _stopping: threading.Event = field(default_factory=threading.Event)
    _tender: threading.Thread | None = None

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each group that runs right now."""
        return {
            one.group.name: one.child.pid
            for one in self._processes
            if one.child is not None and one.child.poll() is None
        }

    @property
    def health_urls(self) -> dict[str, str]:
        """Where each group answers /livez, /readyz and /metrics."""
        return {one.group.name: f"http://127.0.0.1:{one.health_port}" for one in self._processes}

    @property
    def restarts(self) -> dict[str, int]:
        """How often each group was started again."""
        return {one.group.name: max(0, one.starts - 1) for one in self._processes}

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Return when every process says that it is ready.

        Raises:
            NotReady: one does not within so many seconds, with the end of its log.
        """
        deadline = time.monotonic() + seconds
        for one in self._processes:
            while not _answers(f"http://127.0.0.1:{one.health_port}/readyz"):
                if time.monotonic() > deadline or self._stopping.is_set():
                    words = f":\n{tail(one.log, 20)}" if one.log else ""
                    raise NotReady(f"{one.group.name} is not ready after {seconds:.0f} s{words}")
                self._stopping.wait(0.05)

    def stop(self) -> None:
        """Stop all in reverse order, each given its time to drain, within the summed budget."""
        self._stopping.set()
        if self._tender:
            self._tender.join()

    def _tend(self, started: threading.Event) -> None:
        """Start the processes, start them again when they die, stop them when told to.

        All in this one thread: a child asks to be killed when the thread that made it ends.
        """
        for one in self._processes:
            self._launch(one)
        started.set()
        while not self._stopping.wait(0.1):
            for one in self._processes:
                self._look_after(one, time.monotonic())
        deadline = time.monotonic() + BUDGET_S
        for stage in _stages(self._processes):
            _stop_stage(stage, deadline)

    def _look_after(self, one: _Process, now: float) -> None:
        if one.child is not None and one.child.poll() is not None:
            if now - one.began > _STEADY_S:
                one.pause_s = _FIRST_PAUSE_S
            code = one.child.returncode
            self._say(f"{one.group.name} ended ({code}), again in {one.pause_s:.1f} s")
            one.child, one.again_at = None, now + one.pause_s
            one.pause_s = min(_LONGEST_PAUSE_S, one.pause_s * 2)
        elif one.child is None and now >= one.again_at:
            self._launch(one)

    def _launch(self, one: _Process) -> None:
        if one.any_port and one.starts:
            # Somebody else may have taken it, and then it would never start again.
            one.health_port = free_port(one.health_port)
        words = open(one.log, "ab") if one.log else contextlib.nullcontext()
        with words as log:
            one.child = subprocess.Popen(
                [sys.executable, "-m", "ctalert", "run-roles", *one.group.roles],
                cwd=CHECKOUT,
                env={
                    **self._environment,
                    "PYTHONPATH": str(CHECKOUT),
                    "CTALERT_HEALTH_PORT": str(one.health_port),
                    "CTALERT_PARENT": str(os.getpid()),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for us: the children are told in their order.
                start_new_session=True,
            )
        one.began = time.monotonic()
        one.starts += 1


def start(
    groups: Sequence[Group],
    environment: Mapping[str, str],
    *,
    logs: Path | None = None,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> Running:
    """Start a process for each group and look after them in a thread.

    `logs` is the folder their words go to (GROUP.log); without it they go where ours do. The
    management ports are CTALERT_HEALTH_PORT and those after it, where it is not given the first
    free ones from 9081; 0 takes any. Of the database URLs they get only those of the
    application's roles.
    """
    given = environment.get("CTALERT_HEALTH_PORT")
    base = int(given or 0)
    if logs:
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    if base:
        ports = [base + place for place in range(len(groups))]
    else:
        ports = free_ports(len(groups), beginning=None if given else _USUAL_HEALTH_PORT)
    processes = [
        _Process(group, port, logs and logs / f"{group.name}.log", any_port=not base)
        for group, port in zip(groups, ports, strict=True)
    ]
    running = Running(processes, without_owners(environment), say)
    started = threading.Event()
    tender = threading.Thread(target=running._tend, args=[started], name="supervise", daemon=True)
    running._tender = tender
    tender.start()
    started.wait()
    return running


def wait_for_signal() -> int:
    """Return the number of the first SIGTERM or SIGINT that comes."""
    came = threading.Event()
    numbers: list[int] = []

    def note(number: int, frame: object) -> None:
        numbers.append(number)
        came.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    while not came.wait(1.0):
        pass
    return numbers[0]


def _stop_stage(stage: Sequence[_Process], deadline: float) -> None:
    children = [one.child for one in stage if one.child and one.child.poll() is None]
    for child in children:
        child.terminate()
    until = min(deadline, time.monotonic() + DRAIN_S)
    for child in children:
        try:
            child.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _stages(processes: Sequence[_Process]) -> list[list[_Process]]:
    """Return the processes in the order they stop; those of one stage stop at the same time."""
    channels = {"sms", "voice", "email"}
    stages: list[list[_Process]] = []
    for one in reversed(processes):
        beside = stages and {one.group.name, stages[-1][0].group.name} <= channels
        if beside:
            stages[-1].append(one)
        else:
            stages.append([one])
    return stages


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
