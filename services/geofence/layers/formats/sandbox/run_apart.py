"""Run one job of parsing in a process apart, which may crash, hang or swell by itself."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from services.geofence.layers.faults import LayerFault, LayerInvalid, whole_file
from services.geofence.layers.formats.sandbox.frames import Frames
from services.geofence.layers.formats.sandbox.lock import environment
from shared.watch.logs import get_logger

log = get_logger(__name__)

_ROOT = Path(__file__).parents[5]
_WORKER = "services.geofence.layers.formats.sandbox.worker"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a job may take: seconds by the clock, bytes of memory, bytes of answer."""

    seconds: int = 120
    memory: int = 1536 << 20
    output: int = 400_000_000


@contextmanager
def run_apart(job: dict[str, Any], data: bytes, *, bounds: Bounds) -> Iterator[Frames]:
    """Give a job and a file's bytes to a process apart and yield what it answers.

    Raises:
        LayerInvalid: the file is refused, or reading it takes more than the bounds.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
        given.write(orjson.dumps({**job, "bounds": _as_numbers(bounds)}) + b"\n")
        given.write(data)
        given.seek(0)
        try:
            done = subprocess.run(  # noqa: S603  our own interpreter and module
                [sys.executable, "-P", "-m", _WORKER],
                stdin=given,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                env=environment(_ROOT),
                cwd="/",
                close_fds=True,
                timeout=bounds.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise whole_file("too-slow", "Reading the file takes too long.") from None
        yield _answered(answer, done.returncode)


def _answered(answer: Any, code: int) -> Frames:
    try:
        frames = Frames(answer)
        summary = frames.summary()
    except (EOFError, orjson.JSONDecodeError):
        log.warning("layer_reader_died", code=code)
        raise whole_file("malformed-file", "The file cannot be read within the bounds.") from None
    if "crash" in summary:
        log.warning("layer_reader_failed", error=summary["crash"])
        raise whole_file("malformed-file", "The file cannot be read.")
    if "faults" in summary:
        raise LayerInvalid([LayerFault(*fault) for fault in summary["faults"]])
    return frames


def _as_numbers(bounds: Bounds) -> dict[str, int]:
    return {"seconds": bounds.seconds, "memory": bounds.memory, "output": bounds.output}
