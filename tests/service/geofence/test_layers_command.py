"""`ctl layers` on a real database: import, list, locate."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ctalert.layers import run
from tests.servers import ServiceDatabase

SQUARE = [[-72.8, 41.5], [-72.6, 41.5], [-72.6, 41.7], [-72.8, 41.7], [-72.8, 41.5]]


@pytest.fixture(autouse=True)
def _on_a_database(
    fresh_database: Callable[..., ServiceDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = fresh_database("geofence", migrated=False)
    monkeypatch.setenv("CTALERT_GEOFENCE_DATABASE_URL", database.app_url)
    monkeypatch.setenv("CTALERT_GEOFENCE_OWNER_DATABASE_URL", database.owner_url)


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer of one town whose name holds a comma."""
    file = tmp_path / "towns.geojson"
    feature = {
        "type": "Feature",
        "properties": {"geoid": "0901301080", "name": "Kent, the town", "ugc": "CTZ001"},
        "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
    }
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return file


@pytest.mark.shows("G6")
def test_import_list_and_locate(
    layer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", str(layer), "--kind", "town"]) == 0
    assert run(["import", str(layer), "--kind", "town"]) == 0
    assert run(["import", str(layer), "--kind", "nws_zone", "--code", "ugc"]) == 0
    capsys.readouterr()
    assert run(["list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == ["nws_zone", "town"]
    assert all("version 1" in line and "in force" in line for line in listed)
    points = tmp_path / "points.csv"
    points.write_text("id,lon,lat\n1,-72.7,41.6\n2,-72.0,41.0\n3,-72.8,41.5\n")
    assert run(["locate", "--kind", "town", str(points)]) == 0
    assert capsys.readouterr().out == (
        'id,code,name\n1,0901301080,"Kent, the town"\n2,,\n3,0901301080,"Kent, the town"\n'
    )


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ("id,x,y\n1,2,3\n", "the columns id, lon and lat"),
        ("id,lon,lat\n1,-72.7,41.6\n2,west,41\n", "line 3"),
        ("id,lon,lat\n1,nan,41.6\n", "line 2"),
        ("id,lon,lat\n1,-72.7\n", "line 2"),
        ("", "the columns"),
    ],
)
def test_bad_points_are_one_sentence(
    points: str, sentence: str, layer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["import", str(layer), "--kind", "town"])
    file = tmp_path / "points.csv"
    file.write_text(points)
    capsys.readouterr()
    assert run(["locate", "--kind", "town", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err


def test_nothing_to_locate_in_and_files_that_are_no_layer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = tmp_path / "points.csv"
    points.write_text("id,lon,lat\n1,-72.7,41.6\n")
    assert run(["locate", "--kind", "town", str(points)]) == 1
    assert "no layer of kind town" in capsys.readouterr().err
    assert run(["import", str(points), "--kind", "town"]) == 1
    assert run(["import", str(tmp_path / "missing"), "--kind", "town"]) == 1
    assert capsys.readouterr().out == ""
