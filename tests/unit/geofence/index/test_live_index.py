"""Versions, erasure and views of the index; distances on the ellipsoid."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from services.geofence.index.change import Change, forget
from services.geofence.index.columns import Places
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


def test_counts_by_language() -> None:
    index = empty_index()
    index.apply([replace(change(number, 1, INSIDE), language="es-US") for number in range(3)])
    index.apply([change(9, 1, INSIDE), replace(change(8, 1, OUTSIDE), language="pt-BR")])
    assert index.view().count(SQUARE).by_language == {"es-US": 3, "en-US": 1}
    index.apply([replace(change(0, 2, INSIDE), language="en-US")])
    assert index.view().count(SQUARE).by_language == {"es-US": 2, "en-US": 2}


def test_places_are_counted_less_those_of_people_who_have_moved_since() -> None:
    """The same answer before, during and after sorting in."""
    index = empty_index()
    index.apply([change(number, 1, INSIDE, INSIDE) for number in range(10)])
    index.end_merge(index.begin_merge()())
    assert index.view().spans(SQUARE).places == 20
    index.apply([change(3, 2, OUTSIDE), change(4, 2, INSIDE), change(5, 2)])
    work = index.begin_merge()
    index.apply([change(4, 3, INSIDE, INSIDE, OUTSIDE), change(6, 2), change(7, 2), change(7, 3)])
    before = index.view().count(SQUARE)
    assert (before.people, before.places) == (6, 12)
    index.end_merge(work())
    after = index.view().count(SQUARE)
    assert after == before
    spans = index.view().spans(SQUARE)
    assert spans.places == 12
    assert spans.fresh.size == 2


def test_people_nobody_has_met_find_room() -> None:
    """The columns grow under views that keep what they were given."""
    index = empty_index()
    views = []
    for round_ in range(6):
        first = 700 * round_
        index.apply([change(number, 1, INSIDE) for number in range(first, first + 700)])
        views.append(index.view())
        if round_ % 2:
            index.end_merge(index.begin_merge()())
    assert [view.count(SQUARE).people for view in views] == [700, 1400, 2100, 2800, 3500, 4200]
    assert ask(index, SQUARE).inside == set(range(4_200))


def test_of_one_person_many_times_in_one_batch_the_newest_stays() -> None:
    index = empty_index()
    index.apply([change(1, 1, INSIDE), change(2, 1, INSIDE)])
    changes = [change(1, 3, OUTSIDE), change(2, 2, INSIDE), change(1, 2, INSIDE), change(1, 3)]
    assert index.apply(changes) == 2
    assert ask(index, SQUARE).inside == {2}
    assert index.apply([change(1, 4, INSIDE), change(2, 3), forget(ident(1))]) == 2
    assert ask(index, SQUARE).inside == set()


@pytest.mark.shows("S05")
def test_an_index_that_contradicts_the_area_is_never_believed() -> None:
    """A grid gone wrong would answer with people elsewhere: the second look refuses them."""
    lon = np.full(200, -72.7)
    index = make_index(
        Places(lon, np.full(200, 41.6), np.zeros(200), np.arange(200, dtype=np.int32)), 200
    )
    view = index.view()
    good = view.places
    moved = replace(good, lon=good.lon + 5)
    broken = replace(view, places=moved)
    for question in (broken.count, broken.spans, lambda area: list(broken.blocks(area))):
        with pytest.raises(OutsideArea):
            question(SQUARE)


@pytest.mark.shows("S05")
@pytest.mark.parametrize("gone_wrong", ["starts", "order", "no-number"])
def test_columns_gone_wrong_are_never_believed(gone_wrong: str) -> None:
    """Places of the whole state, of which those in a square are asked for."""
    random = np.random.default_rng(3)
    lon, lat = random.uniform([[-73.5], [41.0]], [[-72.0], [42.0]], (2, 20_000))
    people = np.arange(20_000, dtype=np.int32)
    index = make_index(Places(lon, lat, np.zeros(20_000), people), 20_000, grid=None)
    view = index.view()
    good = view.places
    assert view.count(SQUARE).people
    wrong = {
        "starts": replace(good, start=np.minimum(good.start + 3_000, 20_000).astype(np.int32)),
        "order": replace(good, lon=good.lon[::-1].copy()),
        "no-number": replace(good, lat=np.full(20_000, np.nan)),
    }
    broken = replace(view, places=wrong[gone_wrong])
    for question in (broken.count, broken.spans, lambda area: list(broken.blocks(area))):
        with pytest.raises(OutsideArea):
            question(SQUARE)


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
