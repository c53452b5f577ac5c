"""The areas that are asked for: a town, a county, a storm, many vertices with holes, the state."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from benchmarks.places.outlines import Outlines

# West Hartford; New Haven County; the counties of Hartford, New Haven and New London.
TOWN, COUNTY, SEVERAL = "0900382590", "09009", ("09003", "09009", "09011")
TOWN_VERTICES, COUNTY_VERTICES, MANY_VERTICES, STATE_VERTICES = 40, 5_000, 20_000, 2_000
# A warned storm's path across the state, drawn by hand.
STORM = (
    (-73.35, 41.62), (-72.95, 41.95), (-72.45, 42.02), (-72.10, 41.88),
    (-72.20, 41.60), (-72.62, 41.38), (-73.05, 41.30), (-73.40, 41.42),
)  # fmt: skip
# Degrees: how far the counties of the multipolygon keep from each other, and its holes' radius.
APART, HOLE = 0.004, 0.025
HOLES_EACH = 4
SEED = 8


@dataclass(frozen=True, slots=True)
class Area:
    """An area to ask for, in degrees WGS 84, and what people call it."""

    name: str
    geometry: BaseGeometry

    @property
    def vertices(self) -> int:
        """The number of its vertices, the closing ones not counted."""
        return _vertices(self.geometry)


def draw_areas(drawn: Outlines) -> list[Area]:
    """Return the five areas, each valid and with as many vertices as its name says."""
    counties = drawn.counties
    with_holes = MultiPolygon([_with_holes(counties[code]) for code in SEVERAL])
    return [
        Area("town, 40 vertices", with_vertices(drawn.towns[TOWN][1], TOWN_VERTICES)),
        Area("county, 5,000 vertices", with_vertices(counties[COUNTY], COUNTY_VERTICES)),
        Area("storm, 8 vertices", Polygon(STORM)),
        Area("multipolygon with holes, 20,000 vertices", with_vertices(with_holes, MANY_VERTICES)),
        Area("state, 2,000 vertices", with_vertices(drawn.state, STATE_VERTICES)),
    ]


def with_vertices(area: BaseGeometry, vertices: int) -> BaseGeometry:
    """Return the area drawn with about so many vertices: coarser, or with wavering edges."""
    if _vertices(area) > vertices:
        return _coarser(area, vertices)
    low, high = 0.0, float(area.length)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (
            (middle, high)
            if _vertices(shapely.segmentize(area, middle)) > vertices
            else (low, middle)
        )
    fine = shapely.segmentize(area, high)
    for waver in (0.3, 0.15, 0.07, 0.03, 0.0):
        moved = _waver(fine, waver * high)
        if moved.is_valid:
            return moved
    raise ValueError("the area is not valid")


def _coarser(area: BaseGeometry, vertices: int) -> BaseGeometry:
    low, high = 0.0, 0.1
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _vertices(area.simplify(middle)) > vertices else (low, middle)
    return area.simplify(high)


def _waver(area: BaseGeometry, most: float) -> BaseGeometry:
    """Move each vertex by at most so many degrees, the same way on every machine."""
    chance = np.random.default_rng(SEED)

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        # By position, so that the first and last vertex of a ring stay one.
        _, own = np.unique(points, axis=0, return_inverse=True)
        steps = chance.uniform(-most, most, (own.max() + 1, 2))
        return np.asarray(points + steps[own.ravel()])

    return shapely.transform(area, move)


def _with_holes(county: BaseGeometry) -> Polygon:
    parts = [one for one in shapely.get_parts(county.buffer(-APART)) if isinstance(one, Polygon)]
    largest = max(parts, key=lambda part: part.area)
    chance = np.random.default_rng(SEED)
    west, south, east, north = largest.bounds
    holes: list[BaseGeometry] = []
    while len(holes) < HOLES_EACH:
        at = shapely.Point(chance.uniform(west, east), chance.uniform(south, north))
        hole = at.buffer(HOLE, quad_segs=8)
        if hole.buffer(APART).within(largest) and all(hole.disjoint(other) for other in holes):
            holes.append(hole)
    rings = [shapely.get_coordinates(hole) for hole in holes]
    return Polygon(largest.exterior.coords, rings)


def _vertices(area: BaseGeometry) -> int:
    rings = shapely.get_rings(shapely.get_parts(area))
    return int(shapely.get_num_coordinates(area)) - len(rings)
