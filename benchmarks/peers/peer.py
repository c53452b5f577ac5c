"""What a peer is: something else that counts the places in an area, or a reason why it is not."""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd

Count: TypeAlias = Callable[[Area], int]
Open: TypeAlias = Callable[[Crowd, list[Area]], AbstractContextManager[Count]]

TIMES = 5


class Absent(Exception):
    """A peer that cannot be had on this machine: one sentence why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How many places a peer found, and its median seconds."""

    places: int
    seconds: float


def ask(count: Count, area: Area, *, times: int = TIMES) -> Answer:
    """Return a peer's answer for an area and the median of so many goes, one before uncounted.

    Raises:
        RuntimeError: it does not always say the same.
    """
    first = count(area)
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        again = count(area)
        seconds.append(time.perf_counter() - began)
        if again != first:
            raise RuntimeError(f"{area.name}: {first} places, then {again}")
    return Answer(first, statistics.median(seconds))
