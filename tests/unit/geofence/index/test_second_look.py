"""Whoever is to be warned is held against the area once more, each of them, without the grid."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from services.geofence.index.cells.cover import cover_area
from services.geofence.index.cells.runs import BLOCK
from services.geofence.index.cells.second_look import (
    TOGETHER,
    look_around,
    look_at_each,
    look_at_runs,
)
from services.geofence.index.columns import Places, Sorted
from services.geofence.index.geodesy import Floats
from services.geofence.index.intake.fresh import Pending
from services.geofence.index.live_index import LiveIndex
from services.geofence.index.near import within
from services.geofence.index.view import FIRST, OutsideArea, View
from tests.unit.geofence.oracle import CENTRE, change, make_index

# Half of what its bounds hold lies outside of it.
DIAMOND = shapely.Polygon(
    [(-72.701, 41.531), (-72.633, 41.603), (-72.699, 41.668), (-72.768, 41.599)]
)
# In the bounds of the diamond, 10 m outside of it, and as far inside.
JUST_OUTSIDE, JUST_INSIDE = (-72.6659, 41.6356), (-72.6661, 41.6354)
MANY = 40_000


def crowd(count: int = MANY) -> tuple[Floats, Floats]:
    """Return places all over the bounds of the diamond."""
    west, south, east, north = DIAMOND.bounds
    lon, lat = np.random.default_rng(5).uniform([[west], [south]], [[east], [north]], (2, count))
    return lon, lat


def index_of(lon: Floats, lat: Floats) -> LiveIndex:
    """Build an index of people with a place each."""
    people = np.arange(lon.size, dtype=np.int32)
    return make_index(Places(lon, lat, np.zeros(lon.size), people), lon.size)


def with_places(view: View, places: Sorted) -> View:
    """Return a view whose sorted places are others."""
    assert list(view.blocks(DIAMOND))
    return replace(view, places=places)


@pytest.mark.shows("M13", "S05")
def test_a_run_that_is_too_long_by_one_row_is_never_believed() -> None:
    view = index_of(*crowd()).view()
    good = view.places
    cells = cover_area(good.grid, DIAMOND).last
    after = good.begin(cells)
    beyond = good.grid.cell_of(good.lon[after], good.lat[after]) == cells
    beyond &= ~shapely.intersects_xy(DIAMOND, good.lon[after], good.lat[after])
    assert beyond.any()
    for cell in cells[beyond]:
        start = good.start.copy()
        start[cell] += 1
        with pytest.raises(OutsideArea):
            list(with_places(view, replace(good, start=start)).blocks(DIAMOND))


@pytest.mark.shows("M13", "S05")
def test_one_place_of_many_that_is_elsewhere_is_never_believed() -> None:
    view = index_of(*crowd()).view()
    good = view.places
    first, last = good.whole(cover_area(good.grid, DIAMOND))
    for row in (first[0], last[-1] - 1, (first[20] + last[20]) // 2):
        lon, lat = good.lon.copy(), good.lat.copy()
        lon[row], lat[row] = JUST_OUTSIDE
        with pytest.raises(OutsideArea):
            list(with_places(view, replace(good, lon=lon, lat=lat)).blocks(DIAMOND))


class Elsewhere(Pending):
    """Fresh places of which one has moved without its cell."""

    def __init__(self, places: Sorted) -> None:
        lon, lat = places.lon.copy(), places.lat.copy()
        lon[0], lat[0] = JUST_OUTSIDE
        self._sorted = replace(places, lon=lon, lat=lat)


@pytest.mark.shows("M13", "S05")
@pytest.mark.parametrize("fresh", [1, 200])
def test_one_fresh_place_that_is_elsewhere_is_never_believed(fresh: int) -> None:
    index = index_of(*crowd(300))
    index.apply([change(number, 2, (*CENTRE, 0.0)) for number in range(fresh)])
    view = index.view()
    assert list(view.blocks(DIAMOND))
    broken = replace(view, pending=Elsewhere(view.pending.sort()))
    with pytest.raises(OutsideArea):
        list(broken.blocks(DIAMOND))


@pytest.mark.shows("M13")
@pytest.mark.parametrize("rows", [1, TOGETHER[-1], 5 * TOGETHER[-1] + 3, TOGETHER[0] + 1])
def test_neighbours_are_as_good_as_each_of_them(rows: int) -> None:
    lon, lat = (np.full(rows, value) for value in JUST_INSIDE)
    lon[rows // 2 :] = CENTRE[0]
    look_at_runs(DIAMOND, lon, lat)
    for row in range(rows):
        for wrong in (JUST_OUTSIDE, (np.nan, CENTRE[1])):
            bad_lon, bad_lat = lon.copy(), lat.copy()
            bad_lon[row], bad_lat[row] = wrong
            for look in (look_at_runs, look_at_each):
                with pytest.raises(OutsideArea):
                    look(DIAMOND, bad_lon, bad_lat)


@pytest.mark.shows("M13")
def test_what_is_inside_or_on_the_edge_stands() -> None:
    lon, lat = crowd()
    corners = shapely.get_coordinates(DIAMOND)
    inside = shapely.intersects_xy(DIAMOND, lon, lat)
    for look in (look_at_runs, look_at_each):
        look(DIAMOND, lon[inside], lat[inside])
        look(DIAMOND, corners[:, 0].copy(), corners[:, 1].copy())


@pytest.mark.shows("M13")
@pytest.mark.parametrize("radius_m", [0.0, 1.0, 40.0, 3_000.0, 100_000.0])
def test_whom_an_uncertain_place_reaches_stands_and_nobody_far_away(radius_m: float) -> None:
    west, south, east, north = shapely.buffer(DIAMOND, radius_m / 50_000 + 0.001).bounds
    lon, lat = np.random.default_rng(8).uniform([[west], [south]], [[east], [north]], (2, 20_000))
    radius = np.full(lon.size, radius_m)
    near = within(DIAMOND, lon, lat, radius)
    look_around(DIAMOND, lon[near], lat[near], radius[near])
    far = np.flatnonzero(~within(DIAMOND, lon, lat, 1.5 * radius + 1.0))[:200]
    assert far.size
    for row in far:
        here = slice(row, row + 1)
        with pytest.raises(OutsideArea):
            look_around(DIAMOND, lon[here], lat[here], radius[here])


@pytest.mark.parametrize(
    "wrong", [(np.nan, 41.6, 5.0), (-72.5, np.nan, 5.0), (-72.5, 41.6, np.nan)]
)
def test_what_is_no_number_is_near_nothing(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(OutsideArea):
        look_around(DIAMOND, *(np.array([value]) for value in wrong))


@pytest.mark.shows("G14")
@pytest.mark.parametrize("edge_only", [False, True])
def test_the_first_block_is_small_and_the_others_are_not(edge_only: bool) -> None:
    """Each is held against the area before anybody hears of it; the first is to leave at once."""
    rows = FIRST + 2 * BLOCK + 10
    spot = JUST_INSIDE if edge_only else tuple(CENTRE)
    view = index_of(*(np.full(rows, value) for value in spot)).view()
    sizes = [len(block.people) for block in view.blocks(DIAMOND)]
    assert sizes[0] == FIRST
    assert max(sizes) == BLOCK
    assert sum(sizes) == rows
