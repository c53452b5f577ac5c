"""On the edge is inside, to the last digit: a million points on, beside and a hair off edges."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.shapes.circle import circle
from services.geofence.index.cells.cover import SPOT_U, SPOT_V, cover_area
from services.geofence.index.columns import Places, Sorted, sort_places
from services.geofence.index.grid import Grid, state_grid
from tests.unit.geofence.oracle import CELL, CENTRE, SMALL, areas

Points = NDArray[np.float64]

GRIDS = {
    "the-states": state_grid(),
    "a-small-one": SMALL,
    "huge-cells": Grid(west=-74.0, south=41.0, per_degree=3.0, columns=2, rows=1),
}


def rows_in(places: Sorted, area: BaseGeometry) -> NDArray[np.int64]:
    """Return the rows in an area by its cells, each as often as it is answered."""
    cover = cover_area(places.grid, area)
    runs = [np.arange(*run) for run in zip(*places.whole(cover), strict=True)]
    return np.concatenate([*runs, places.partly(area, cover)])


def assert_exact(area: BaseGeometry, points: Points, *, grid: Grid, few: bool = False) -> None:
    """Hold the cells' answer for every point against GEOS's."""
    lon, lat = points.T.copy()
    person = np.arange(len(points), dtype=np.int32)
    places = sort_places(grid, Places(lon, lat, np.zeros(len(points)), person), few=few)
    answered = np.bincount(places.person[rows_in(places, area)], minlength=len(points))
    assert (answered == shapely.intersects_xy(area, lon, lat)).all()


def hard_points(area: BaseGeometry, random: np.random.Generator, *, count: int) -> Points:
    """Return vertices, spots on edges, most of them on borders of cells, and a hair off them."""
    corners, ring = shapely.get_coordinates(
        shapely.get_rings(shapely.get_parts(area)), return_index=True
    )
    edge = random.choice(np.flatnonzero(ring[1:] == ring[:-1]), count)
    begin, along = corners[edge], corners[edge + 1] - corners[edge]
    on = begin + random.random((count, 1)) * along
    west = np.array([state_grid().west, state_grid().south])
    axis = random.integers(0, 2, count)
    border = (np.round((on - west) / CELL) * CELL + west)[np.arange(count), axis]
    way = along[np.arange(count), axis]
    share = np.divide(
        border - begin[np.arange(count), axis], way, out=np.zeros(count), where=way != 0
    )
    at_border = begin + np.clip(share, 0, 1)[:, None] * along
    at_border[np.arange(count), axis] = border
    marked = np.concatenate([corners[:count], on, at_border, np.round(on, 5)])
    low, high = marked.min(axis=0) - 1e-3, marked.max(axis=0) + 1e-3
    hairs = 10.0 ** random.integers(-15, -7, (len(marked), 1))
    return np.concatenate(
        [
            marked,
            np.nextafter(marked, marked + random.choice([-1, 1], marked.shape)),
            marked + random.integers(-1, 2, marked.shape) * hairs,
            random.uniform(low, high, (count, 2)),
        ]
    )


def star(corners: int, size: float, seed: int) -> Points:
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, corners))
    radius = random.uniform(0.4, 1, corners) * size
    return CENTRE + np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def sliver(width: float) -> Polygon:
    along, off = np.array([0.31, 0.17]), np.array([-0.17, 0.31]) * width
    a, b = CENTRE, CENTRE + along
    return Polygon([a, b, b + off, a + off])


def almost_flat(rise: float) -> Polygon:
    x, y = CENTRE
    far, top = x + 0.25, y + 0.25
    return Polygon([(x, y), (far, y + rise), (far - rise, top), (x + rise, top + rise)])


def comb() -> Polygon:
    x, y = CENTRE
    teeth = [(x + n * 0.003, y + (0.09 if n % 2 else -0.09)) for n in range(60)]
    return Polygon([*teeth, (x + 0.18, y - 0.1), (x, y - 0.1)])


def rings() -> MultiPolygon:
    """Return rings within rings, and boxes that touch one another's corners."""
    around = [shapely.Point(*CENTRE).buffer(n * 0.01, 40) for n in range(1, 8)]
    parts = [Polygon(around[n].exterior, [around[n - 1].exterior]) for n in (2, 4, 6)]
    x, y = CENTRE + 0.1
    chess = [
        shapely.box(x + i * CELL, y + j * CELL, x + (i + 1) * CELL, y + (j + 1) * CELL)
        for i in range(6)
        for j in range(6)
        if (i + j) % 2
    ]
    return MultiPolygon([*parts, *chess])


def across_a_border(rise: float) -> Polygon:
    """Return a box whose lower edge crosses a border of cells where rounding says."""
    grid = state_grid()
    x, y = CENTRE[0], grid.south + 600 / grid.per_degree
    return Polygon([(x, y - rise), (x + 0.25, y + rise), (x + 0.25, y + 0.2), (x, y + 0.2)])


def through_spots() -> Polygon:
    """Return a star whose corners are spots of cells, where a cell's side is looked up."""
    grid = state_grid()
    west, spot = np.array([grid.west, grid.south]), np.array([SPOT_U, SPOT_V])
    return Polygon((np.floor((star(30, 0.2, 10) - west) / CELL) + spot) * CELL + west)


AREAS: dict[str, BaseGeometry] = {
    "triangle": Polygon(star(3, 0.3, 1)),
    "storm": Polygon(star(8, 0.4, 2)),
    "county": Polygon(star(5_000, 0.3, 3)),
    "with-a-hole": Polygon(star(60, 0.2, 4), [CENTRE + (star(60, 0.2, 4) - CENTRE) * 0.3]),
    "five-decimals": Polygon(np.round(star(200, 0.2, 5), 5)),
    "three-decimals": Polygon(np.round(star(12, 0.2, 6), 3)),
    "on-borders-of-cells": Polygon(np.round(star(40, 0.2, 7) / CELL) * CELL),
    "box": shapely.box(*(CENTRE - 0.1), *(CENTRE + 0.1)),
    "smaller-than-a-cell": Polygon(star(30, CELL / 7, 8)),
    "sliver": sliver(1e-9),
    "thinner-sliver": sliver(1e-13),
    "almost-flat": almost_flat(1e-12),
    "hardly-flat": almost_flat(1e-7),
    "across-a-border": across_a_border(1e-13),
    "hardly-across-a-border": across_a_border(1e-9),
    "through-spots": through_spots(),
    "comb": comb(),
    "rings": rings(),
    "circle": circle(float(CENTRE[0]), float(CENTRE[1]), 5_000.0),
    "beyond-the-grid": shapely.box(-75, 40, -72.7123456, 43).difference(
        shapely.Point(*CENTRE).buffer(0.2)
    ),
    "the-world": shapely.box(-180, -90, 180, 90).difference(Polygon(star(9, 0.3, 9))),
}


@pytest.mark.shows("G10", "G14")
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("area", AREAS.values(), ids=AREAS)
def test_points_at_the_edge_of_every_kind_of_area(area: BaseGeometry, grid: Grid) -> None:
    """A million pairs in all: 21 areas, 3 grids, 10 points for each spot, 1,800 spots."""
    assert area.is_valid
    points = hard_points(area, np.random.default_rng(17), count=1_800)
    assert_exact(area, points, grid=grid)


@pytest.mark.shows("G10")
@settings(max_examples=60, deadline=None)
@given(area=areas(), seed=st.integers(0, 2**32 - 1), few=st.booleans())
def test_points_at_the_edge_of_any_area(area: Polygon | MultiPolygon, seed: int, few: bool) -> None:
    points = hard_points(area, np.random.default_rng(seed), count=60)
    assert_exact(area, points, grid=SMALL, few=few)
