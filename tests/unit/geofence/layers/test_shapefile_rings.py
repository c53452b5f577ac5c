"""Rings of a shapefile that run as holes and lie in no shell are named as they were written."""

import io
import zipfile

import pytest

from tests.unit.geofence.layers.files import SQUARE, archive, shapefile, wkb_of
from tests.unit.geofence.layers.test_formats import HOLE, faults


def turned(data: bytes) -> bytes:
    """Turn both rings of a shapefile's only record round, which no writer of GDAL's does."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    shp = members["towns.shp"]
    # Two rings of five points after header, type, bounds, two counts and two starts.
    at = 100 + 8 + 4 + 32 + 8 + 8
    points = [shp[place : place + 16] for place in range(at, at + 160, 16)]
    rings = b"".join([*points[4::-1], *points[:4:-1]])
    return archive({**members, "towns.shp": shp[:at] + rings + shp[at + 160 :]})


@pytest.mark.shows("G2", "bad:A06")
def test_a_hole_that_touches_its_shell_from_outside_is_named_where_it_leaves_it() -> None:
    touching = [[-72.6, 41.55], [-72.5, 41.55], [-72.5, 41.65], [-72.6, 41.55]]
    [(feature, pointer, code)] = faults(shapefile(wkb_of(SQUARE[::-1], touching)), "shapefile")
    assert (feature, code) == ("1", "hole-outside-shell")
    assert pointer == "/features/0/geometry/coordinates/1/1"


@pytest.mark.shows("G2")
def test_rings_that_all_run_the_wrong_way_round_are_refused() -> None:
    # What runs clockwise is the shell: the larger ring is a hole around it.
    made = turned(shapefile(wkb_of(SQUARE[::-1], HOLE)))
    at = "/features/0/geometry/coordinates/1/0"
    assert faults(made, "shapefile") == [("1", at, "hole-outside-shell")]
