"""Takes vertices from rings in ways that only ever add to what the rings enclose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon, STRtree

from services.geofence.index.geodesy import Floats

Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

# Of all steps a round looks at the cheapest third: nearly greedy, in a dozen rounds.
SHARE = 3
FEWEST = 16


@dataclass(frozen=True, slots=True)
class Steps:
    """Ways to lose one vertex: where, the triangle each adds (n, 3, 2), and its area.

    At a corner that turns inwards the vertex goes and its triangle is filled. At an edge between
    two corners that turn outwards both give way to where the edges beside it meet.
    """

    at: Ints
    is_edge: Flags
    triangle: Floats
    cost: Floats

    def take(self, which: Ints | Flags) -> "Steps":
        """Return some of the steps."""
        return Steps(self.at[which], self.is_edge[which], self.triangle[which], self.cost[which])


@dataclass(frozen=True, slots=True)
class Rings:
    """Open rings one after the other, what they enclose on their left; `ring` numbers them."""

    xy: Floats
    ring: Ints
    is_hole: Flags
    part: Ints

    @property
    def size(self) -> Ints:
        """The vertices of each ring."""
        return np.bincount(self.ring, minlength=len(self.is_hole))

    @property
    def coordinates(self) -> int:
        """How many coordinates the rings are written with, each closed."""
        return len(self.xy) + len(np.unique(self.ring))

    def neighbours(self) -> tuple[Ints, Ints]:
        """Return the vertex before and the vertex after each."""
        first = np.flatnonzero(np.diff(self.ring, prepend=-1))
        last = np.append(first[1:], len(self.xy)) - 1
        before, after = np.arange(-1, len(self.xy) - 1), np.arange(1, len(self.xy) + 1)
        before[first], after[last] = last, first
        return before, after

    def polygons(self) -> list[Polygon]:
        """Return a polygon of each part."""
        closed = {
            number: np.append(ring, ring[:1], axis=0)
            for number in np.unique(self.ring).tolist()
            for ring in (self.xy[self.ring == number],)
        }
        made = []
        for part in np.unique(self.part[list(closed)]).tolist():
            own = [number for number in closed if self.part[number] == part]
            shell = next(closed[number] for number in own if not self.is_hole[number])
            made.append(Polygon(shell, [closed[one] for one in own if self.is_hole[one]]))
        return made


def rings_of(parts: Sequence[Polygon]) -> Rings:
    """Return the rings of polygons, shells counter-clockwise and holes clockwise."""
    turned = shapely.orient_polygons(np.array(parts))
    rings, part = shapely.get_rings(turned, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    open_ends = np.diff(ring, append=-1) == 0
    is_hole = np.diff(part, prepend=-1) == 0
    return Rings(xy[open_ends], ring[open_ends], is_hole, part)


def thin(rings: Rings, *, most: int) -> Rings:
    """Lose vertices until `most` coordinates are left or none can go; nothing enclosed is lost.

    No ring comes to cross itself or another.
    """
    while rings.coordinates > most:
        fewer = _round(rings, rings.coordinates - most)
        if fewer is None:
            break
        rings = fewer
    return rings


def _round(rings: Rings, excess: int) -> Rings | None:
    before, after = rings.neighbours()
    steps = _steps(rings, before, after)
    points = STRtree(np.asarray(shapely.points(rings.xy)))
    edges = STRtree(np.asarray(shapely.linestrings(np.stack([rings.xy, rings.xy[after]], axis=1))))
    look = max(FEWEST, len(steps.at) // SHARE)
    chosen = np.empty(0, np.int64)
    for begin in range(0, len(steps.at), look):
        some = steps.take(np.arange(begin, min(begin + look, len(steps.at))))
        some = some.take(_is_free(some, before, after, points=points, edges=edges))
        chosen_here = _apart(some, before, after, excess)
        if len(chosen_here):
            steps, chosen = some, chosen_here
            break
    dearest = steps.cost[chosen].max() if len(chosen) else np.inf
    gone = _holes_to_fill(rings, points, dearest)
    if not len(chosen) and not len(gone):
        return None
    return _carry_out(rings, steps.take(chosen), after, gone)


def _steps(rings: Rings, before: Ints, after: Ints) -> Steps:
    """Return all steps, the cheapest first."""
    here = rings.xy
    back, ahead, beyond = here[before], here[after], here[after[after]]
    big = rings.size[rings.ring] > 3
    turn = _cross(here - back, ahead - here)
    corner = np.flatnonzero((turn <= 0) & big)
    meet = _cross(here - back, beyond - ahead)
    edge = np.flatnonzero((turn > 0) & (turn[after] > 0) & (meet > 0) & big)
    along = _cross(ahead[edge] - here[edge], (beyond - ahead)[edge]) / meet[edge]
    apex = here[edge] + along[:, None] * (here - back)[edge]
    triangle = np.concatenate(
        [
            np.stack([back[corner], here[corner], ahead[corner]], axis=1),
            np.stack([here[edge], apex, ahead[edge]], axis=1),
        ]
    )
    cost = np.abs(_cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0]))
    is_edge = np.arange(len(cost)) >= len(corner)
    steps = Steps(np.concatenate([corner, edge]), is_edge, triangle, cost / 2)
    return steps.take(np.argsort(steps.cost, kind="stable"))


def _is_free(steps: Steps, before: Ints, after: Ints, *, points: STRtree, edges: STRtree) -> Flags:
    """Say which triangles nothing else reaches into.

    A corner's triangle has edges on two sides, so what enters it has a vertex in it. Past the
    apex of an edge's triangle an edge could run right through.
    """
    shapes = np.asarray(shapely.polygons(steps.triangle))
    free = np.ones(len(shapes), np.bool_)
    for tree, is_edge in ((points, False), (edges, True)):
        own = np.flatnonzero(steps.is_edge == is_edge)
        which, met = tree.query(shapes[own], predicate="intersects")
        at = steps.at[own[which]]
        stranger = (met != before[at]) & (met != at) & (met != after[at])
        free[own[which[stranger]]] = False
    return free


def _apart(steps: Steps, before: Ints, after: Ints, excess: int) -> Ints:
    """Return steps, cheapest first, that share no vertex and whose triangles do not meet."""
    used = np.zeros(len(before), np.bool_)
    chosen: list[int] = []
    for number, at in enumerate(steps.at.tolist()):
        reach = [before[at], at, after[at]]
        if steps.is_edge[number]:
            reach.append(after[after[at]])
        if used[reach].any():
            continue
        used[reach] = True
        chosen.append(number)
        if len(chosen) == excess:
            break
    if not chosen:
        return np.empty(0, np.int64)
    shapes = np.asarray(shapely.polygons(steps.triangle[chosen]))
    first, second = STRtree(shapes).query(shapes, predicate="intersects")
    keep = np.ones(len(chosen), np.bool_)
    keep[second[first < second]] = False
    return np.array(chosen, np.int64)[keep]


def _holes_to_fill(rings: Rings, points: STRtree, dearest: float) -> Ints:
    """Return the holes whose filling costs no more a vertex than the dearest step of a round."""
    found = []
    for number in np.flatnonzero(rings.is_hole & (rings.size > 0)).tolist():
        own = np.flatnonzero(rings.ring == number)
        hole = Polygon(rings.xy[own])
        if hole.area > dearest * (len(own) + 1):
            continue
        if np.isin(points.query(hole, predicate="intersects"), own).all():
            found.append(number)
    return np.array(found, np.int64)


def _carry_out(rings: Rings, steps: Steps, after: Ints, holes: Ints) -> Rings:
    xy = rings.xy.copy()
    stays = ~np.isin(rings.ring, holes)
    stays[steps.at[~steps.is_edge]] = False
    edge = steps.at[steps.is_edge]
    xy[edge] = steps.triangle[steps.is_edge, 1]
    stays[after[edge]] = False
    return Rings(xy[stays], rings.ring[stays], rings.is_hole, rings.part)


def _cross(one: Floats, other: Floats) -> Floats:
    return np.asarray(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])


def as_area(parts: Sequence[Polygon]) -> Polygon | MultiPolygon:
    """Return one polygon as it is, several as a multipolygon."""
    return parts[0] if len(parts) == 1 else MultiPolygon(list(parts))
