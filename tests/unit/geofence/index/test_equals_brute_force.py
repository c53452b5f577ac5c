"""The index answers as testing every place alone does, whatever the area and the changes."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon

from services.geofence.index.columns import Places
from services.geofence.index.live_index import LiveIndex
from tests.unit.geofence.oracle import (
    CENTRE,
    Answer,
    areas,
    ask,
    brute_force,
    change,
    empty_index,
    make_index,
)

Spots = dict[int, list[tuple[float, float, float]]]


def tricky(area: Polygon | MultiPolygon, random: np.random.Generator) -> np.ndarray:
    """Return points around an area: at random, on vertices, on edges, and a hair beside them."""
    corners = shapely.get_coordinates(area)
    middles = np.array([(a + b) / 2 for a, b in pairwise(corners)])
    west, south, east, north = area.bounds
    wide, tall = (east - west) * 0.3 + 1e-4, (north - south) * 0.3 + 1e-4
    random_ones = random.uniform([west - wide, south - tall], [east + wide, north + tall], (300, 2))
    hair = random.choice([-1e-12, 1e-12, 1e-9, -1e-9, 1e-7], (len(corners), 2))
    return np.concatenate([random_ones, corners, middles, corners + hair])


def as_places(spots: Spots) -> Places:
    rows = np.array([spot for places in spots.values() for spot in places], np.float64)
    owner = np.repeat(list(spots), [len(places) for places in spots.values()])
    return Places(rows[:, 0], rows[:, 1], rows[:, 2], owner.astype(np.int32))


@pytest.mark.shows("G10", "G13", "G2")
@settings(max_examples=60, deadline=None)
@given(area=areas(), seed=st.integers(0, 2**32 - 1))
def test_points_on_and_around_any_area(area: Polygon | MultiPolygon, seed: int) -> None:
    random = np.random.default_rng(seed)
    points = tricky(area, random)
    # Two places for some people, so that people and places differ.
    owners = random.integers(0, len(points) * 2 // 3, len(points))
    spots: Spots = {int(owner): [] for owner in range(int(owners.max()) + 1)}
    for owner, (lon, lat) in zip(owners, points, strict=True):
        spots[int(owner)].append((float(lon), float(lat), 0.0))
    index = make_index(as_places(spots), len(spots))
    expected = brute_force(area, spots)
    assert ask(index, area) == expected
    # The same places as changes not yet sorted in.
    later = empty_index()
    later.apply([change(person, 1, *places) for person, places in spots.items()])
    assert ask(later, area) == expected


@pytest.mark.shows("G9")
@settings(max_examples=25, deadline=None)
@given(area=areas(), seed=st.integers(0, 2**32 - 1))
def test_uncertain_places_match_by_true_distance(area: Polygon | MultiPolygon, seed: int) -> None:
    from tests.unit.geofence.oracle import metres_to

    random = np.random.default_rng(seed)
    points = CENTRE + random.uniform(-0.08, 0.08, (60, 2))
    spots: Spots = {}
    for person, (lon, lat) in enumerate(points.tolist()):
        exactly = metres_to(area, lon, lat)
        factor = random.choice([0.0, 0.5, 0.995, 1.005, 1.5])
        spots[person] = [(lon, lat, float(exactly * factor))]
    index = make_index(as_places(spots), len(spots))
    expected = brute_force(area, spots)
    assert ask(index, area) == expected
    later = empty_index()
    later.apply([change(person, 1, *places) for person, places in spots.items()])
    assert ask(later, area) == expected


@pytest.mark.shows("G8", "G10")
@settings(max_examples=25, deadline=None)
@given(area=areas(), seed=st.integers(0, 2**32 - 1))
def test_inserts_moves_and_deletes_while_sorting_in(
    area: Polygon | MultiPolygon, seed: int
) -> None:
    random = np.random.default_rng(seed)
    points = [(float(x), float(y), 0.0) for x, y in tricky(area, random)]
    spots: Spots = {person: [points[person]] for person in range(120)}
    index = make_index(as_places(spots), len(spots))
    version = 1
    for round_ in range(4):
        work = index.begin_merge() if round_ % 2 else None
        for _ in range(40):
            version += 1
            person = int(random.integers(0, 150))
            chosen = random.choice(len(points), random.integers(0, 3), replace=False)
            spots[person] = [
                (points[n][0], points[n][1], float(random.choice([0.0, 30.0]))) for n in chosen
            ]
            index.apply([change(person, version, *spots[person])])
        if work is not None:
            merged = work()
            assert_same(index, area, spots)
            index.end_merge(merged)
        assert_same(index, area, spots)


def assert_same(index: LiveIndex, area: Polygon | MultiPolygon, spots: Spots) -> None:
    found, expected = ask(index, area), brute_force(area, spots)
    assert found.inside == expected.inside
    # A hair beside an edge, both say so; 30 m is never within 0.1 % of the distance here.
    assert found.uncertain == expected.uncertain


@pytest.mark.shows("G14")
def test_a_million_pairs_of_points_and_areas() -> None:
    random = np.random.default_rng(7)
    lon = random.uniform(-74.6, -70.9, 100_000)
    lat = random.uniform(40.3, 42.7, 100_000)
    people = np.arange(100_000, dtype=np.int32)
    index = make_index(Places(lon, lat, np.zeros(100_000), people), 100_000, grid=None)
    for corners in (3, 8, 40, 400, 4_000):
        for reach in (0.02, 0.3, 2.0):
            angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
            radius = random.uniform(0.4, 1, corners) * reach
            ring = CENTRE + np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
            area = Polygon(ring, [CENTRE + (ring - CENTRE) * 0.3])
            assert area.is_valid
            expected = frozenset(np.flatnonzero(shapely.intersects_xy(area, lon, lat)).tolist())
            assert ask(index, area) == Answer(expected, frozenset())


def test_places_off_the_grid_are_found() -> None:
    spots: Spots = {0: [(-80.0, 41.0, 0.0)], 1: [(-72.7, 41.6, 0.0)], 2: [(-72.7, 50.0, 0.0)]}
    index = make_index(as_places(spots), 3, grid=None)
    everywhere = Polygon([(-90, 30), (-60, 30), (-60, 60), (-90, 60)])
    assert ask(index, everywhere).inside == {0, 1, 2}
    far = Polygon([(-81, 40), (-79, 40), (-79, 42), (-81, 42)])
    assert ask(index, far).inside == {0}
