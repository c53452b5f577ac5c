"""Processes that make the index and open its snapshot: how much memory, and how soon it answers.

Run as a module: `make PLACES FOLDER` or `open FOLDER`; each prints one line of JSON.
"""

import ctypes
import gc
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.places.areas import Area, draw_areas
from benchmarks.places.crowd import make_crowd
from benchmarks.places.index import make_index, span_places
from benchmarks.places.outlines import outlines
from services.geofence.index.snapshots.keeper import SnapshotKeeper
from shared.clock import SystemClock

CHECKOUT = Path(__file__).resolve().parents[2]
TOPIC, OFFSETS = "a topic", {0: 1}
TIMES = 5


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes a process has more of once it holds the index, made or opened from a snapshot.

    `open_s` are the seconds from there being nothing to the answer for a town, for each opening.
    """

    made: int
    opened: int
    snapshot: int
    open_s: list[float]


def weigh(places: int) -> Weight:
    """Make the index in a process of its own, then open its snapshot in others.

    Raises:
        subprocess.CalledProcessError: a process failed.
    """
    folder = Path(tempfile.mkdtemp(prefix="ctalert-bench-", dir="/var/tmp"))
    try:
        made = _run("make", str(places), str(folder))
        opened = [_run("open", str(folder)) for _ in range(TIMES)]
        size = sum(file.stat().st_size for file in folder.iterdir())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if any(one["places"] != made["places"] for one in opened):
        raise RuntimeError("the snapshot answers otherwise than the index it was made of")
    return Weight(made["held"], opened[0]["held"], size, [one["seconds"] for one in opened])


def _run(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.places.weigh", *words],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _make(places: int, folder: Path) -> dict[str, float]:
    town = _warm()
    before = _resident()
    index = make_index(make_crowd(places))
    found = span_places(index, town)
    held = _resident() - before
    keeper = SnapshotKeeper(folder, clock=SystemClock())
    index.end_merge(keeper.begin(index, topic_id=TOPIC, offsets=OFFSETS)())
    return {"held": held, "places": found}


def _open(folder: Path) -> dict[str, float]:
    town = _warm()
    before, began = _resident(), time.perf_counter()
    keeper = SnapshotKeeper(folder, clock=SystemClock())
    loaded = keeper.open(topic_id=TOPIC, first={0: 0}, end={0: 1})
    if loaded is None:
        raise RuntimeError("the snapshot is not trusted")
    found = span_places(loaded.index, town)
    seconds = time.perf_counter() - began
    return {"held": _resident() - before, "places": found, "seconds": seconds}


def _warm() -> Area:
    """Do everything once in small, so that what is loaded when first used is not counted."""
    town = draw_areas(outlines(None))[0]
    span_places(make_index(make_crowd(1_000)), town)
    return town


def _resident() -> int:
    gc.collect()
    # What was freed is given back to the system, or it would be counted.
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    work, *given = sys.argv[1:]
    print(
        json.dumps(
            _make(int(given[0]), Path(given[1])) if work == "make" else _open(Path(given[0]))
        )
    )
