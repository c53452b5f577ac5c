"""Towns by cell: every point has the town that the towns themselves say, once a person."""

import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.index.columns import Places
from services.geofence.index.counting.town_grid import NOWHERE, TownGrid, make_town_grid
from tests.unit.geofence.oracle import CENTRE, SMALL, change, make_index

# Three towns in a row, a fourth overlapping two of them, and nothing to the north.
WEST, SOUTH = CENTRE - 0.1
TOWNS: list[tuple[str, BaseGeometry]] = [
    ("a", shapely.box(WEST, SOUTH, WEST + 0.05, SOUTH + 0.1)),
    ("b", shapely.box(WEST + 0.05, SOUTH, WEST + 0.1, SOUTH + 0.1)),
    ("c", shapely.box(WEST + 0.1, SOUTH, WEST + 0.15, SOUTH + 0.1)),
    ("d", shapely.Point(WEST + 0.1, SOUTH + 0.05).buffer(0.02)),
]
AREA = shapely.box(WEST + 0.01, SOUTH + 0.01, WEST + 0.2, SOUTH + 0.3)


@pytest.fixture(scope="module")
def towns() -> TownGrid:
    return make_town_grid(TOWNS, grid=SMALL)


def test_every_point_has_the_first_town_it_lies_in(towns: TownGrid) -> None:
    random = np.random.default_rng(5)
    points = random.uniform([WEST - 0.05, SOUTH - 0.05], [WEST + 0.2, SOUTH + 0.2], (20_000, 2))
    corners = shapely.get_coordinates([shape for _, shape in TOWNS])
    lon, lat = np.concatenate([points, corners, [[0.0, 0.0], [-72.0, 41.0]]]).T.copy()
    expected = np.full(len(lon), NOWHERE)
    for number, (_, shape) in reversed(list(enumerate(TOWNS))):
        expected[shapely.intersects_xy(shape, lon, lat)] = number
    assert (towns.find(lon, lat) == expected).all()
    assert {NOWHERE, 0, 1, 2} == set(expected.tolist())


def test_people_are_counted_once_in_each_town(towns: TownGrid) -> None:
    a, b, c = ((WEST + east, SOUTH + 0.09, 0.0) for east in (0.02, 0.07, 0.12))
    nowhere, outside = (WEST + 0.02, SOUTH + 0.2, 0.0), (WEST + 0.005, SOUTH + 0.005, 0.0)
    near = (WEST + 0.02, SOUTH + 0.0099, 100.0)
    index = make_index(Places(*np.empty((3, 0)), np.empty(0, np.int32)), 0)
    index.apply(
        [
            change(0, 1, a, a, outside),
            change(1, 1, a, b),
            change(2, 1, nowhere, c, b),
            change(3, 1, nowhere),
            change(4, 1, near),
            change(5, 1, outside),
        ]
    )
    for _ in range(2):
        count = index.view().count(AREA, towns=towns)
        assert count.by_town == {"a": 2, "b": 2, "c": 1}
        assert (count.people, count.by_uncertainty) == (5, 1)
        index.end_merge(index.begin_merge()())


def test_the_towns_of_places_are_kept_through_sorting_in(towns: TownGrid) -> None:
    random = np.random.default_rng(6)
    lon, lat = random.uniform([[WEST], [SOUTH]], [[WEST + 0.2], [SOUTH + 0.2]], (2, 4_000))
    index = make_index(Places(lon, lat, np.zeros(4_000), np.arange(4_000, dtype=np.int32)), 4_000)
    index.view().count(AREA, towns=towns)
    moved = random.uniform([WEST, SOUTH], [WEST + 0.2, SOUTH + 0.2], (500, 2)).tolist()
    index.apply([change(number, 2, (x, y, 0.0)) for number, (x, y) in enumerate(moved)])
    index.end_merge(index.begin_merge()())
    places = index.view().places
    assert [one for one, _ in places.known_towns()] == [towns]
    assert (places.towns(towns) == towns.find(places.lon, places.lat)).all()
    # A newer version of the towns is looked up anew.
    newer = make_town_grid(TOWNS[1:], grid=SMALL)
    assert (places.towns(newer) == newer.find(places.lon, places.lat)).all()


def test_no_towns_at_all() -> None:
    nobody = make_town_grid([], grid=SMALL)
    index = make_index(Places(*np.empty((3, 0)), np.empty(0, np.int32)), 0)
    index.apply([change(0, 1, (WEST + 0.02, SOUTH + 0.02, 0.0))])
    assert index.view().count(AREA, towns=nobody).by_town == {}
