"""Rows of place spans: our index beside every peer, area by area, all counting alike."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.peers.duck import duck
from benchmarks.peers.peer import Absent, Answer, Open, ask
from benchmarks.peers.plain import mask, prepared
from benchmarks.peers.postgis import postgis
from benchmarks.peers.tile38 import tile38
from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd
from benchmarks.places.index import span_places, unseen
from benchmarks.row import Row
from services.geofence.index.live_index import LiveIndex

TIMES = 21
MS = 1e3


@dataclass(frozen=True, slots=True)
class Rival:
    """A peer, how many times quicker we have to be, and whether it has to be there."""

    name: str
    open: Open
    goal: float | None
    required: bool = True


RIVALS = (
    Rival("shapely, prepared, every place", prepared, 1.0),
    Rival("DuckDB spatial", duck, 1.0),
    Rival("PostGIS, GiST, subdivided", postgis, 50.0),
    Rival("PostGIS, sorted by a curve, on every core", partial(postgis, pushed=True), None),
    Rival("Tile38", tile38, 100.0, required=False),
)
# Beside a mask of the bounds, which looks at no edge: three times its time where an area has
# 5,000 vertices, six times where it has 20,000.
MASK_GOALS = {5_000: 1 / 3, 20_000: 1 / 6}


def span_rows(index: LiveIndex, crowd: Crowd, areas: list[Area]) -> Iterator[Row]:
    """Yield for every area our median beside the mask's and each rival's, and who counts alike."""
    count_mask = mask(crowd)
    ours: dict[str, Answer] = {}
    for area in areas:
        ours[area.name], floor = _by_turns(index, area, lambda one: count_mask(one))
        goal = MASK_GOALS.get(area.vertices, 1.0)
        yield _row(area, "a numpy mask of the bounds", ours[area.name].seconds, floor, goal)
    alike = {area.name: [0, 0] for area in areas}
    for rival in RIVALS:
        sys.stderr.write(f"geofence: {rival.name}\n")
        try:
            with rival.open(crowd, areas) as count:
                answers = {area.name: ask(count, area) for area in areas}
        except Absent as why:
            yield from _absent(rival, why, areas, ours)
            continue
        for area in areas:
            answer, own = answers[area.name], ours[area.name]
            alike[area.name][0] += answer.places == own.places
            alike[area.name][1] += 1
            if answer.places != own.places:
                sys.stderr.write(
                    f"geofence: {area.name}: {own.places} places, {rival.name} {answer.places}\n"
                )
            yield _row(area, rival.name, own.seconds, answer.seconds, rival.goal)
    for area in areas:
        same, asked = alike[area.name]
        yield Row(f"{area.name}: peers that count the same places", same, asked, "peers", goal=1.0)
        yield Row(
            f"{area.name}: places inside, of all", ours[area.name].places, len(crowd), "places"
        )


def _by_turns(index: LiveIndex, area: Area, floor: Callable[[Area], int]) -> tuple[Answer, float]:
    """Return our answer with its median and the floor's median, one measured after the other."""
    places = span_places(index, unseen(area))
    floor(area)
    own, floors = [], []
    for _ in range(TIMES):
        fresh = unseen(area)
        began = time.perf_counter()
        again = span_places(index, fresh)
        between = time.perf_counter()
        floor(area)
        own.append(between - began)
        floors.append(time.perf_counter() - between)
        if again != places:
            raise RuntimeError(f"{area.name}: {places} places, then {again}")
    return Answer(places, statistics.median(own)), statistics.median(floors)


def _row(area: Area, peer: str, own_s: float, peer_s: float, goal: float | None) -> Row:
    return Row(
        f"{area.name}: place spans beside {peer}",
        own_s * MS,
        peer_s * MS,
        "ms",
        lower_is_better=True,
        goal=goal,
    )


def _absent(
    rival: Rival, why: Absent, areas: list[Area], ours: Mapping[str, Answer]
) -> Iterator[Row]:
    """Yield a row an area that says why there is nothing to compare with."""
    sys.stderr.write(f"geofence: {rival.name}: {why}\n")
    for area in areas:
        goal = rival.goal if rival.required else None
        name = f"{rival.name}, which was not measured: {why}"
        yield _row(area, name, ours[area.name].seconds, 0.0, goal)
