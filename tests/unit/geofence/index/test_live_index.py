"""Versions, erasure and views of the index; distances on the ellipsoid."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from services.geofence.index.change import Change, forget
from services.geofence.index.columns import Places, Sorted
from services.geofence.index.geodesy import distance_m, travel
from services.geofence.index.view import OutsideArea
from tests.unit.geofence.oracle import ask, change, empty_index, ident, make_index

SQUARE = shapely.box(-72.8, 41.5, -72.6, 41.7)
INSIDE, OUTSIDE = (-72.7, 41.6, 0.0), (-73.2, 41.6, 0.0)


@pytest.mark.shows("bad:K14", "bad:K13")
def test_the_newest_version_wins_whatever_the_order() -> None:
    index = empty_index()
    index.apply([change(1, 5, INSIDE)])
    assert index.apply([change(1, 4, OUTSIDE), change(1, 5, OUTSIDE)]) == 0
    assert ask(index, SQUARE).inside == {1}
    assert index.apply([change(1, 6, OUTSIDE)]) == 1
    assert ask(index, SQUARE).inside == set()


@pytest.mark.parametrize(
    "end", [forget(ident(1)), Change(subscriber_id=ident(1), version=6, erased=True)]
)
def test_an_erased_resident_never_comes_back(end: Change) -> None:
    index = empty_index()
    index.apply([change(1, 5, INSIDE), end, change(1, 5, INSIDE), change(1, 99, INSIDE)])
    assert ask(index, SQUARE).inside == set()


def test_a_view_stays_as_it_was_while_changes_come_in() -> None:
    index = empty_index()
    index.apply([change(1, 1, INSIDE)])
    before = index.view()
    index.apply([change(1, 2, OUTSIDE), change(2, 1, INSIDE)])
    assert before.count(SQUARE).people == 1
    assert ask(index, SQUARE).inside == {2}


def test_people_already_seen_are_left_out() -> None:
    index = empty_index()
    index.apply([change(number, 1, INSIDE) for number in range(10)])
    view = index.view()
    seen = np.zeros(10, np.bool_)
    assert sum(len(block.people) for block in view.blocks(SQUARE, seen=seen)) == 10
    assert list(view.blocks(SQUARE, seen=seen)) == []


def test_counts_by_channel() -> None:
    index = empty_index()
    index.apply([replace(change(0, 1, INSIDE), channels=1)])
    index.apply([replace(change(1, 1, INSIDE, INSIDE), channels=5)])
    count = index.view().count(SQUARE)
    assert count.by_channel == {"sms": 2, "voice": 0, "email": 1}
    assert (count.people, count.places) == (2, 3)


@pytest.mark.shows("S05")
def test_an_index_that_contradicts_the_area_is_never_believed() -> None:
    """A grid gone wrong would answer with people elsewhere: the second look refuses them."""
    lon = np.full(200, -72.7)
    index = make_index(
        Places(lon, np.full(200, 41.6), np.zeros(200), np.arange(200, dtype=np.int32)), 200
    )
    view = index.view()
    good = view.places
    moved = Sorted(good.grid, good.lon + 5, good.lat, good.person, good.start, good.fuzzy)
    broken = replace(view, places=moved)
    with pytest.raises(OutsideArea):
        broken.count(SQUARE)


def test_vincentys_own_example() -> None:
    """Flinders Peak to Buninyong, GDA technical manual: 54,972.271 m (GRS 80, same to 1 mm)."""
    lon1, lat1 = 144 + 25 / 60 + 29.52440 / 3600, -(37 + 57 / 60 + 3.72030 / 3600)
    lon2, lat2 = 143 + 55 / 60 + 35.38390 / 3600, -(37 + 39 / 60 + 10.15610 / 3600)
    metres = distance_m(np.array([lon1]), np.array([lat1]), np.array([lon2]), np.array([lat2]))
    assert metres[0] == pytest.approx(54_972.271, abs=0.001)


def test_travelling_and_measuring_agree() -> None:
    bearing = np.linspace(0, 2 * np.pi, 50)
    for metres in (0.5, 1_500.0, 100_000.0):
        lon, lat = travel(-72.7, 41.6, bearing, metres)
        back = distance_m(np.full(50, -72.7), np.full(50, 41.6), lon, lat)
        assert np.abs(back - metres).max() < 1e-4
