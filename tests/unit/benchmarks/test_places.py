"""What the geofence is measured with is the same on every machine, and what it says it is."""

from pathlib import Path

import numpy as np
import pytest
import shapely

from benchmarks.places.areas import draw_areas
from benchmarks.places.crowd import make_crowd
from benchmarks.places.outlines import BY_HAND, outlines
from shared.connecticut import STATE_BOX, towns


def test_the_crowd_is_the_same_every_time() -> None:
    first, second = make_crowd(5_000), make_crowd(5_000)

    assert first.lon.tobytes() == second.lon.tobytes()
    assert first.person.tobytes() == second.person.tobytes()
    assert first.ids.tobytes() == second.ids.tobytes()


def test_everybody_has_a_place_and_most_lie_in_the_state() -> None:
    crowd = make_crowd(20_000)

    inside = shapely.contains_xy(shapely.Polygon(BY_HAND), crowd.lon, crowd.lat)

    assert len(crowd) == 20_000
    assert set(crowd.person.tolist()) == set(range(len(crowd.ids)))
    assert np.mean(inside) > 0.97
    assert 0.005 < np.mean(crowd.uncertainty_m > 0) < 0.02


def test_without_a_folder_the_boundaries_are_drawn_by_hand() -> None:
    drawn = outlines(None)

    assert not drawn.real
    assert drawn.towns.keys() == {town.geoid for town in towns()}
    assert len(drawn.counties) == 8
    together = shapely.union_all([shape for _, shape in drawn.towns.values()])
    assert together.symmetric_difference(drawn.state).area < 1e-9
    west, south, east, north = drawn.state.bounds
    assert STATE_BOX.holds(west, south)
    assert STATE_BOX.holds(east, north)


def test_the_areas_are_valid_and_have_as_many_vertices_as_they_say() -> None:
    vertices = {area.name: area.vertices for area in draw_areas(outlines(None))}

    assert vertices == {
        "town, 40 vertices": 40,
        "county, 5,000 vertices": 5_000,
        "storm, 8 vertices": 8,
        "multipolygon with holes, 20,000 vertices": 20_000,
        "state, 2,000 vertices": 2_000,
    }
    assert all(area.geometry.is_valid for area in draw_areas(outlines(None)))


def test_a_folder_without_boundaries_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"ct_towns\.geojson"):
        outlines(tmp_path)
