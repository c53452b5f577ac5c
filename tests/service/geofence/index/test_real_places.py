"""Places all over the state: every one in a town, no gap between towns, each person once."""

import os
from pathlib import Path

import numpy as np
import pytest
import shapely

from services.geofence.index.columns import Places
from services.geofence.index.counting.town_grid import make_town_grid
from services.geofence.index.live_index import LiveIndex
from services.geofence.layers.kinds import Feature
from services.geofence.layers.read_geojson import read_geojson
from tests.unit.geofence.oracle import ask, make_index

GEO = Path(os.environ["CTALERT_TEST_DATA"]) / "geo"


def read(file: str, code_field: str) -> list[Feature]:
    return read_geojson((GEO / file).read_bytes(), code_field=code_field, name_field="name")


@pytest.fixture(scope="module")
def towns() -> list[Feature]:
    return read("ct_towns.geojson", "geoid")


@pytest.fixture(scope="module")
def points(towns: list[Feature]) -> np.ndarray:
    """Return points all over the state, half of them on borders of towns or a hair off them."""
    random = np.random.default_rng(23)
    corners = shapely.get_coordinates([town.geometry for town in towns])
    along = (corners[:-1] + corners[1:]) / 2
    borders = np.concatenate([corners, along[random.choice(len(along), 20_000)]])
    hair = borders + random.choice([-1e-9, 0, 1e-14, 1e-7], borders.shape)
    anywhere = random.uniform([-73.75, 40.95], [-71.75, 42.07], (60_000, 2))
    return np.concatenate([anywhere, corners, hair])


@pytest.fixture(scope="module")
def index(points: np.ndarray) -> LiveIndex:
    """Return an index of them, two to each person."""
    lon, lat = points.T.copy()
    person = (np.arange(len(points)) // 2).astype(np.int32)
    places = Places(lon, lat, np.zeros(len(points)), person)
    return make_index(places, int(person.max()) + 1, grid=None)


@pytest.mark.shows("G6", "G10", "G14")
def test_every_town_has_the_people_that_testing_each_place_finds(
    towns: list[Feature], points: np.ndarray, index: LiveIndex
) -> None:
    """169 towns and more than 100,000 places: 17 million pairs."""
    lon, lat = points.T.copy()
    anywhere = np.zeros(len(points), np.bool_)
    for town in towns:
        shapely.prepare(town.geometry)
        inside = shapely.intersects_xy(town.geometry, lon, lat)
        people = frozenset((np.flatnonzero(inside) // 2).tolist())
        assert ask(index, town.geometry).inside == people
        assert index.view().spans(town.geometry).places == np.count_nonzero(inside)
        anywhere |= inside
    (state,) = read("ct_state.geojson", "fips")
    shapely.prepare(state.geometry)
    # No place of the state is in no town.
    assert not (shapely.intersects_xy(state.geometry, lon, lat) & ~anywhere).any()
    within = ask(index, state.geometry).inside
    assert within <= frozenset((np.flatnonzero(anywhere) // 2).tolist())
    assert len(within) > 20_000


@pytest.mark.shows("G6")
def test_the_towns_by_cell_are_the_towns(
    towns: list[Feature], points: np.ndarray, index: LiveIndex
) -> None:
    grid = make_town_grid([(town.code, town.geometry) for town in towns])
    lon, lat = points.T.copy()
    expected = np.full(len(points), -1)
    for number in reversed(range(len(towns))):
        expected[shapely.intersects_xy(towns[number].geometry, lon, lat)] = number
    assert (grid.find(lon, lat) == expected).all()
    everywhere = shapely.box(-74, 40.5, -71, 42.5)
    counted = index.view().count(everywhere, towns=grid).by_town
    placed = np.flatnonzero(expected >= 0)
    pairs = np.unique(np.column_stack([placed // 2, expected[placed]]), axis=0)
    people = np.bincount(pairs[:, 1], minlength=len(towns)).tolist()
    assert counted == {town.code: count for town, count in zip(towns, people, strict=True) if count}
    assert len(counted) == 169
