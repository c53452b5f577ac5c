"""The geofence at the size of the state: spans beside every peer, people, changes, memory, bus."""

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.places.areas import draw_areas
from benchmarks.places.crowd import make_crowd
from benchmarks.places.figures import change_rows, people_rows
from benchmarks.places.index import everybody, make_index
from benchmarks.places.outlines import outlines
from benchmarks.places.service_rows import service_rows
from benchmarks.places.spans import span_rows
from benchmarks.places.weigh import weigh
from benchmarks.row import Row

MEGA = 1e6
MOST_MB_A_MILLION, START_S = 60, 1.0


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure the index over so many places and return the rows.

    Raises:
        FileNotFoundError: the folder of layers does not hold what is needed.
    """
    return list(_rows(options.places, options.layers))


def _rows(places: int, layers: Path | None) -> Iterator[Row]:
    drawn = outlines(layers)
    kind = f"the boundaries of {layers}" if layers else "hand-drawn boundaries"
    sys.stderr.write(f"geofence: {places:,} places, {kind}\n")
    crowd, areas = make_crowd(places), draw_areas(drawn)
    by_word = {area.name.split(",")[0].split()[0]: area for area in areas}
    yield from _weight(places)
    index = make_index(crowd)
    yield from span_rows(index, crowd, areas)
    yield from people_rows(index, crowd, by_word["state"])
    known = everybody(index, by_word["state"])
    yield from change_rows(index, crowd, by_word["county"])
    yield from service_rows(crowd, by_word, drawn, everybody=known)


def _weight(places: int) -> Iterator[Row]:
    sys.stderr.write("geofence: memory and snapshot\n")
    weight = weigh(places)
    yield Row(
        "memory of the index, beside the goal of 60 MB a million places",
        weight.made / MEGA,
        MOST_MB_A_MILLION * places / MEGA,
        "MB",
        lower_is_better=True,
        goal=1.0,
    )
    yield Row(
        "snapshot opened and a town answered, beside the goal of a second",
        statistics.median(weight.open_s),
        START_S,
        "s",
        lower_is_better=True,
        goal=1.0,
    )
    yield Row("memory of an opened snapshot, beside its file", weight.opened / MEGA,
              weight.snapshot / MEGA, "MB", lower_is_better=True)  # fmt: skip
