"""Rows of the index itself: people once, and changes taken in while queries run."""

import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import shapely

from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd
from benchmarks.places.index import unseen
from benchmarks.row import Row
from ctalert.commands.run_roles import collect_seldom
from services.geofence.index.change import Change, Spot
from services.geofence.index.columns import Sorted
from services.geofence.index.live_index import LiveIndex

TIMES = 5
PEOPLE_ONCE_S = 0.3
CHANGES_A_SECOND = 100_000
# As many as come in about two seconds, in batches as the roster's tail hands them over.
CHANGES, BATCH = 200_000, 1_000
# One change in ten is of somebody new, one in five moves two places.
SEED, NEW, TWO = 3, 0.1, 0.2


def people_rows(index: LiveIndex, crowd: Crowd, state: Area) -> Iterator[Row]:
    """Yield how long it takes to name everybody in the state once, and that nobody is missing."""
    seconds, named = [], 0
    for _ in range(TIMES):
        area = unseen(state).geometry
        began = time.perf_counter()
        blocks = [(block.people.size, block.by_uncertainty) for block in index.view().blocks(area)]
        seconds.append(time.perf_counter() - began)
        named = sum(size for size, uncertain in blocks if not uncertain)
    shapely.prepare(state.geometry)
    inside = shapely.intersects_xy(state.geometry, crowd.lon, crowd.lat)
    people = np.zeros(len(crowd.ids), np.bool_)
    people[crowd.person[inside]] = True
    yield Row(
        "state: seconds to name everybody once, beside the goal of 0.3 s",
        statistics.median(seconds),
        PEOPLE_ONCE_S,
        "s",
        lower_is_better=True,
        goal=1.0,
    )
    missed = int(abs(np.count_nonzero(people) - named))
    yield Row(
        "state: people named, beside those with a place inside",
        named - missed,
        int(np.count_nonzero(people)),
        "people",
        goal=1.0,
    )


@dataclass(slots=True)
class Asking:
    """Queries one after the other in a thread, each over the index as it then is."""

    index: LiveIndex
    area: Area
    threads: ThreadPoolExecutor
    seconds: list[float] = field(default_factory=list)
    _running: "Future[float] | None" = None

    def go_on(self) -> None:
        """Ask again when the last query has been answered."""
        if self._running is not None:
            if not self._running.done():
                return
            self.seconds.append(self._running.result())
        view, area = self.index.view(), unseen(self.area)

        def ask() -> float:
            began = time.perf_counter()
            view.count(area.geometry)
            return time.perf_counter() - began

        self._running = self.threads.submit(ask)


def change_rows(index: LiveIndex, crowd: Crowd, county: Area) -> Iterator[Row]:
    """Yield how many changes a second are taken in while queries run; the index is changed."""
    changes = list(_changes(crowd))
    # As a replica does, which has no list of a million changes to look through besides.
    collect_seldom()
    merging: Future[Sorted] | None = None
    with ThreadPoolExecutor(2) as threads:
        asking = Asking(index, county, threads)
        began, taken = time.perf_counter(), 0
        for at in range(0, len(changes), BATCH):
            asking.go_on()
            taken += index.apply(changes[at : at + BATCH])
            if merging is not None and merging.done():
                index.end_merge(merging.result())
                merging = None
            if index.wants_merge:
                merging = threads.submit(index.begin_merge())
        seconds = time.perf_counter() - began
    if taken != len(changes):
        raise RuntimeError(f"{taken} of {len(changes)} changes were taken for new")
    sys.stderr.write(f"geofence: {len(asking.seconds)} county previews beside the changes\n")
    yield Row(
        "changes a second taken in while queries run, beside the goal of 100,000",
        taken / seconds,
        CHANGES_A_SECOND,
        "1/s",
        goal=1.0,
    )
    if asking.seconds:
        yield Row(
            "county: counted while changes come in, median",
            statistics.median(asking.seconds) * 1e3,
            0.0,
            "ms",
            lower_is_better=True,
        )


def _changes(crowd: Crowd) -> Iterator[Change]:
    chance = np.random.default_rng(SEED)
    people = chance.permutation(len(crowd.ids))[:CHANGES].tolist()
    for nth in range(CHANGES):
        stranger = nth >= len(people) or chance.random() < NEW
        who = chance.bytes(16) if stranger else crowd.ids[people[nth]].ljust(16, b"\0")
        rows = chance.integers(len(crowd), size=2 if chance.random() < TWO else 1)
        spots = tuple(
            Spot(UUID(bytes=chance.bytes(16)), float(crowd.lon[at]), float(crowd.lat[at]), 0.0)
            for at in rows.tolist()
        )
        yield Change(UUID(bytes=who), 2, erased=False, spots=spots, channels=7)
