"""A peer that is not there is said so, and its row fails where it has to be there."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from shapely import box

from benchmarks.peers.peer import Absent, Count
from benchmarks.places import spans
from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd, make_crowd
from benchmarks.places.index import make_index
from benchmarks.places.spans import Rival, span_rows

TOWN = Area("town", box(-72.8, 41.7, -72.6, 41.8))


@contextmanager
def nowhere(crowd: Crowd, areas: list[Area]) -> Iterator[Count]:
    raise Absent("install it")
    yield lambda area: 0


@contextmanager
def wrong(crowd: Crowd, areas: list[Area]) -> Iterator[Count]:
    yield lambda area: len(crowd)


@pytest.mark.parametrize(("required", "ok"), [(True, False), (False, True)])
def test_an_absent_peer_fails_its_row_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch, required: bool, ok: bool
) -> None:
    monkeypatch.setattr(spans, "RIVALS", (Rival("PostGIS", nowhere, 50.0, required=required),))
    crowd = make_crowd(1_000)

    rows = {row.case: row for row in span_rows(make_index(crowd), crowd, [TOWN])}

    absent = rows["town: place spans beside PostGIS, which was not measured: install it"]
    assert absent.ok is ok
    assert absent.reference == 0.0


def test_a_peer_that_counts_otherwise_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "RIVALS", (Rival("PostGIS", wrong, None),))
    crowd = make_crowd(1_000)

    rows = {row.case: row for row in span_rows(make_index(crowd), crowd, [TOWN])}

    assert not rows["town: peers that count the same places"].ok
