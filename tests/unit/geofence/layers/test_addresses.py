"""Address points from files of every format: read alike, and refused where they lie nowhere."""

import json
import struct
from typing import Any

import orjson
import pytest

from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats.addresses.read_rows import read_rows
from services.geofence.layers.formats.media import Format
from tests.unit.geofence.layers.files import archive, gpkg, projected, shapefile

SPOTS = [[-72.7, 41.6], [-72.71, 41.61]]
NENA = {
    "Add_Number": [12, 14],
    "AddNum_Suf": ["A", ""],
    "St_PreDir": ["N", "North"],
    "St_Name": ["Main", "Main"],
    "St_PosTyp": ["Street", "St"],
    "Inc_Muni": ["Kent", "Kent"],
    "Unit": ["", "2"],
    "Post_Code": ["06757", "06757"],
}
CSV = """number,street,unit,city,postcode,lon,lat
12A,N Main Street,,Kent,06757,-72.7,41.6
14,North Main St,2,Kent,6757,-72.71,41.61
"""


def read(data: bytes, format: Format, **fields: str) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Return all columns of a file, and its summary."""
    job = {"format": format, "layer": None, "fields": fields}
    *batches, said = (orjson.loads(piece) for piece in read_rows(job, data))
    names = batches[0] if batches else {}
    columns = {name: [one for batch in batches for one in batch[name]] for name in names}
    return columns, said


def refusal(data: bytes, format: Format, **fields: str) -> tuple[str, str]:
    with pytest.raises(LayerInvalid) as invalid:
        read(data, format, **fields)
    return invalid.value.faults[0].code, invalid.value.faults[0].pointer


def points(crs: str) -> list[bytes]:
    return [struct.pack("<BIdd", 1, 1, *spot) for spot in projected(SPOTS, crs)]


def as_geojson(**properties: Any) -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": {name: values[number] for name, values in NENA.items()} | properties,
            "geometry": {"type": "Point", "coordinates": spot},
        }
        for number, spot in enumerate(SPOTS)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def made(format: str) -> tuple[bytes, Format]:
    feet = "EPSG:2234"
    more = {"crs": feet, "fields": NENA, "geometry_type": "Point"}
    if format == "gpkg":
        return gpkg(*points(feet), **more), "gpkg"
    if format == "shapefile":
        return shapefile(*points(feet), **more), "shapefile"
    if format == "zipped csv":
        return archive({"all.csv": CSV.encode()}), "shapefile"
    return (as_geojson(), "geojson") if format == "geojson" else (CSV.encode(), "csv")


@pytest.mark.shows("G11")
@pytest.mark.parametrize("format", ["csv", "zipped csv", "geojson", "gpkg", "shapefile"])
def test_addresses_are_the_same_from_every_format(format: str) -> None:
    columns, said = read(*made(format))
    assert columns["number"] == ["12A", "14"]
    assert columns["street"] == ["N MAIN ST", "N MAIN ST"]
    assert columns["town"] == ["KENT", "KENT"]
    assert columns["postal"] == ["06757", "06757"]
    assert columns["unit"] == ["", "2"]
    assert columns["lon"] == pytest.approx([-72.7, -72.71], abs=1e-7)
    assert columns["lat"] == pytest.approx([41.6, 41.61], abs=1e-7)
    assert (said["count"], said["warnings"]) == (2, [])


def test_fields_may_be_named_and_joined() -> None:
    data = CSV.replace("number,street", "hausnummer,weg").encode()
    assert refusal(data, "csv") == ("property-required", "")
    columns, _ = read(data, "csv", number="Hausnummer", street="weg,unit")
    assert columns["street"] == ["N MAIN ST", "N MAIN ST 2"]
    assert refusal(data, "csv", number="hausnummer", street="way") == ("property-required", "")


def test_rows_without_number_or_street_are_left_out_and_counted() -> None:
    more = CSV + ",Elm Street,,Kent,06757,-72.7,41.6\n3,,,Kent,,-72.7,41.6\n"
    columns, said = read(more.encode(), "csv")
    assert len(columns["number"]) == said["count"] == 2
    assert [one[0] for one in said["warnings"]] == ["rows-left-out"]
    assert said["warnings"][0][1].startswith("2 rows")
    only = "number,street,lon,lat\n,,-72.7,41.6\n"
    assert refusal(only.encode(), "csv") == ("empty-layer", "")


@pytest.mark.parametrize(
    ("row", "code", "pointer"),
    [
        ("1,Elm,,,,41.6,-72.7", "swapped-coordinates", "/features/2/geometry"),
        ("1,Elm,,,,0,0", "outside-service-area", "/features/2/geometry"),
        ("1,Elm,,,,,", "outside-service-area", "/features/2/geometry"),
        ("1,Elm,,,,west,41", "outside-service-area", "/features/2/geometry"),
        ("1,Elm,,,,-7_2.7,41.6", "outside-service-area", "/features/2/geometry"),
        ("1,Elm,,,,-72.7,4_1.6", "outside-service-area", "/features/2/geometry"),
        ("1,Elm,,,,nan,41", "outside-service-area", "/features/2/geometry"),
        ("1,Elm", "bad-row", "/rows/2"),
        ('1,"Elm', "malformed-file", ""),
        ("1,\xe9lm,,,,-72.7,41.6", "bad-encoding", ""),
    ],
)
def test_a_row_that_lies_nowhere_refuses_the_file(row: str, code: str, pointer: str) -> None:
    assert refusal((CSV + row + "\n").encode("latin-1"), "csv") == (code, pointer)


@pytest.mark.parametrize(
    ("data", "format", "code"),
    [
        (b"", "csv", "empty-body"),
        (b"number,street,x_m,y_m\n1,Elm,1,1\n", "csv", "property-required"),
        (b"\0\0\0", "csv", "property-required"),
        (as_geojson(Add_Number=None, St_Name=""), "geojson", "empty-layer"),
        (b"{}", "geojson", "not-a-collection"),
    ],
)
def test_a_file_without_addresses_is_refused(data: bytes, format: Format, code: str) -> None:
    assert refusal(data, format)[0] == code
