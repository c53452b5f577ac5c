"""`ctl layers` on a real database: import, list, locate."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ctalert.layers import run
from tests.servers import ServiceDatabase
from tests.unit.geofence.layers.files import BOW_TIE, geojson, projected, shapefile, wkb_of

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
        "properties": {"geoid": "0900747360", "name": "Kent, the town", "ugc": "CTX001"},
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
        'id,code,name\n1,0900747360,"Kent, the town"\n2,,\n3,0900747360,"Kent, the town"\n'
    )


@pytest.mark.shows("G1", "G6")
def test_a_shapefile_in_feet_from_a_date_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "zones.zip"
    feet = wkb_of(projected(SQUARE[::-1], "EPSG:2234"))
    file.write_bytes(shapefile(feet, crs="EPSG:2234"))
    bring = ["import", str(file), "--kind", "evacuation_zone"]
    named = ["--code-field", "geoid", "--name-field", "name", "--layer", "towns"]
    assert run([*bring, *named, "--valid-from", "2101-01-01"]) == 0
    assert "in force from 2101-01-01" in capsys.readouterr().out
    assert run([*bring, "--valid-from", "2020-05-01"]) == 0
    capsys.readouterr()
    assert run(["list"]) == 0
    newer, older = capsys.readouterr().out.splitlines()
    assert "from 2020-05-01  shapefile EPSG:2234" in newer
    assert newer.endswith("in force")
    assert "from 2101-01-01" in older
    assert "in force" not in older


@pytest.mark.shows("G2")
def test_a_report_names_feature_and_vertex_and_warnings_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "towns.geojson"
    file.write_bytes(geojson(SQUARE, BOW_TIE))
    assert run(["import", str(file), "--kind", "town"]) == 1
    said = capsys.readouterr().err
    assert "2  /features/1/geometry/coordinates/0/0  self-intersection" in said
    file.write_bytes(geojson([[x, y, 1.0] for x, y in SQUARE]))
    assert run(["import", str(file), "--kind", "town"]) == 0
    said = capsys.readouterr().out
    assert "altitude-dropped" in said
    assert "codes-missing: 169 of 169" in said


@pytest.mark.shows("G11")
def test_addresses_come_as_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "all.csv"
    file.write_text("no,way,lon,lat\n12,Elm Street,-72.7,41.6\n")
    bring = ["import", str(file), "--kind", "address_point"]
    assert run(bring) == 1
    assert run([*bring, "--number", "no", "--street", "way"]) == 0
    assert "address_point version 1: 1 features, imported" in capsys.readouterr().out
    assert run(["import", str(file), "--kind", "town"]) == 1
    assert "no format" in capsys.readouterr().err


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
