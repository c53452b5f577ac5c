"""Every bad area of the catalogue is refused with its place, quickly; none is repaired."""

import json
import math
import time
from typing import Any

import numpy as np
import pytest
import shapely

from services.geofence.areas.area import normalise
from services.geofence.areas.shapes.assemble import assemble
from services.geofence.areas.shapes.read_area import read_area
from services.geofence.layers.geometry import GeometryRefused

SQUARE = [[-72.8, 41.5], [-72.6, 41.5], [-72.6, 41.7], [-72.8, 41.7], [-72.8, 41.5]]
HOLE = [[-72.75, 41.55], [-72.65, 41.55], [-72.65, 41.65], [-72.75, 41.55]]
INNER = [[-72.68, 41.57], [-72.67, 41.57], [-72.67, 41.58], [-72.68, 41.57]]
BOW_TIE = [[-72.8, 41.5], [-72.6, 41.7], [-72.6, 41.5], [-72.8, 41.7], [-72.8, 41.5]]
AWAY = [[-72.5, 41.5], [-72.4, 41.5], [-72.4, 41.6], [-72.5, 41.5]]


def polygon(*rings: Any, **more: Any) -> dict[str, Any]:
    return drawn({"type": "Polygon", "coordinates": list(rings), **more})


def many(*polygons: Any) -> dict[str, Any]:
    return drawn({"type": "MultiPolygon", "coordinates": list(polygons)})


def drawn(geometry: Any) -> dict[str, Any]:
    return {"include": [{"type": "geojson", "geometry": geometry}]}


def circle(**members: Any) -> dict[str, Any]:
    return {"include": [{"type": "circle", "lon": -72.7, "lat": 41.6, **members}]}


def feature(**members: Any) -> dict[str, Any]:
    return {"include": [{"type": "feature", **members}]}


def ring(corners: int, size: float = 0.1) -> list[list[float]]:
    angle = np.linspace(0, 2 * np.pi, corners)
    points = np.column_stack([-72.7 + size * np.cos(angle), 41.6 + size * np.sin(angle)]).tolist()
    return [*points[:-1], points[0]]


def comb(teeth: int) -> list[list[float]]:
    """Return a ring whose teeth all cross one bar: teeth² crossings."""
    points = []
    for tooth in range(teeth):
        x = -72.8 + 0.2 * tooth / teeth
        points += [[x, 41.5], [x + 0.1 / teeth, 41.7]]
    points += [[-72.5, 41.6], [-72.9, 41.61]]
    return [*points, points[0]]


def read(area: object) -> None:
    normalise([assemble(read_area(area))])


AT = "/include/0/geometry/coordinates"
BAD: dict[str, list[tuple[Any, str, str, int]]] = {
    "A01": [
        (None, "area-required", "", 422),
        ({}, "area-required", "", 422),
        ({"include": []}, "area-required", "/include", 422),
        ({"include": None}, "area-required", "/include", 422),
        ({"exclude": drawn(None)["include"]}, "include-required", "/include", 422),
        ([], "area-required", "", 422),
        ("everywhere", "area-required", "", 422),
    ],
    "A02": [
        (drawn(None), "geometry-required", "/include/0/geometry", 422),
        (
            drawn({"type": "FeatureCollection", "features": []}),
            "unsupported-geometry",
            "/include/0/geometry/type",
            422,
        ),
        (drawn({"type": "Polygon", "coordinates": []}), "empty-geometry", AT, 422),
        (drawn({"type": "Polygon", "coordinates": None}), "empty-geometry", AT, 422),
        (drawn({"type": "Polygon"}), "empty-geometry", AT, 422),
        (polygon([]), "empty-geometry", f"{AT}/0", 422),
        (many([]), "empty-geometry", f"{AT}/0", 422),
        (many([[]]), "empty-geometry", f"{AT}/0/0", 422),
    ],
    "A03": [(polygon(SQUARE[:-1]), "ring-not-closed", f"{AT}/0/3", 422)],
    "A04": [
        (polygon(SQUARE[:3]), "too-few-points", f"{AT}/0", 422),
        (polygon([SQUARE[0]] * 4), "zero-area", f"{AT}/0", 422),
        (polygon([SQUARE[0], SQUARE[1], SQUARE[0], SQUARE[0]]), "zero-area", f"{AT}/0", 422),
        (
            polygon([[-72.8, 41.5], [-72.7, 41.5], [-72.6, 41.5], [-72.8, 41.5]]),
            "zero-area",
            f"{AT}/0",
            422,
        ),
    ],
    "A05": [
        (polygon(BOW_TIE), "self-intersection", f"{AT}/0/0", 422),
        (many([AWAY], [BOW_TIE]), "self-intersection", f"{AT}/1/0/0", 422),
    ],
    "A06": [
        (polygon(SQUARE, AWAY), "hole-outside-shell", f"{AT}/1/0", 422),
        (polygon(SQUARE, HOLE, INNER), "nested-holes", f"{AT}/2/0", 422),
        (many([SQUARE], [HOLE]), "nested-polygons", f"{AT}/1/0/0", 422),
    ],
    "A07": [
        (polygon(ring(5_002)), "too-complex", AT, 413),
        (many(*([ring(4_000)] for _ in range(3))), "too-complex", AT, 413),
        (many(*([AWAY] for _ in range(101))), "too-complex", AT, 413),
        ({"include": drawn(None)["include"] * 251}, "too-complex", "/include", 413),
    ],
    "A08": [
        (polygon([[math.nan, 41.5], *SQUARE]), "not-finite", f"{AT}/0/0", 422),
        (polygon([[-72.8, math.inf], *SQUARE]), "not-finite", f"{AT}/0/0", 422),
        (polygon([["-72.8", "41.5"], *SQUARE]), "not-a-number", f"{AT}/0/0", 422),
        (polygon([[True, 41.5], *SQUARE]), "not-a-number", f"{AT}/0/0", 422),
        (polygon([[None, 41.5], *SQUARE]), "not-a-number", f"{AT}/0/0", 422),
    ],
    "A09": [
        (polygon([[-72.8, 41.5, 10.0], *SQUARE]), "altitude-not-allowed", f"{AT}/0/0", 422),
        (polygon([[-72.8], *SQUARE]), "malformed-position", f"{AT}/0/0", 422),
        (polygon([[-72.8, 41.5, 1, 2], *SQUARE]), "malformed-position", f"{AT}/0/0", 422),
        (polygon([{"lon": -72.8}, *SQUARE]), "malformed-position", f"{AT}/0/0", 422),
    ],
    "A10": [
        (
            polygon([[lat, lon] for lon, lat in SQUARE]),
            "swapped-coordinates",
            f"{AT}/0/0",
            422,
        ),
        (polygon([[42.0, -99.0], *SQUARE]), "out-of-range", f"{AT}/0/0", 422),
        (
            {"include": [{"type": "circle", "lon": 41.6, "lat": -72.7, "radius_m": 5}]},
            "swapped-coordinates",
            "/include/0",
            422,
        ),
    ],
    "A11": [
        (
            polygon([[-179, 41], [179, 41], [179, 42], [-179, 42], [-179, 41]]),
            "antimeridian",
            f"{AT}/0/1",
            422,
        ),
        (
            {"include": [{"type": "circle", "lon": -72.0, "lat": 89.9, "radius_m": 50_000}]},
            "antimeridian",
            "/include/0",
            422,
        ),
        (polygon([[-72.8, 95.0], *SQUARE]), "out-of-range", f"{AT}/0/0", 422),
    ],
    "A14": [
        (
            drawn({"type": "GeometryCollection", "geometries": []}),
            "unsupported-geometry",
            "/include/0/geometry/type",
            422,
        ),
        (
            drawn({"type": "Point", "coordinates": [-72.7, 41.6]}),
            "unsupported-geometry",
            "/include/0/geometry/type",
            422,
        ),
        (
            drawn({"type": "LineString", "coordinates": SQUARE}),
            "unsupported-geometry",
            "/include/0/geometry/type",
            422,
        ),
        ({"include": [None]}, "malformed-shape", "/include/0", 422),
        ({"include": [{"type": "rectangle"}]}, "unsupported-shape", "/include/0/type", 422),
    ],
    "A15": [
        (
            polygon(SQUARE, crs={"type": "name", "properties": {"name": "EPSG:2234"}}),
            "unsupported-crs",
            "/include/0/geometry/crs",
            422,
        ),
        (polygon(SQUARE, crs="EPSG:4326"), "unsupported-crs", "/include/0/geometry/crs", 422),
    ],
    "A16": [
        (circle(radius_m=0), "radius-out-of-range", "/include/0/radius_m", 422),
        (circle(radius_m=-5), "radius-out-of-range", "/include/0/radius_m", 422),
        (circle(radius_m=100_000.1), "radius-out-of-range", "/include/0/radius_m", 422),
        (circle(radius_m="500"), "not-a-number", "/include/0/radius_m", 422),
        (circle(), "not-a-number", "/include/0/radius_m", 422),
        (circle(radius_m=math.nan), "not-a-number", "/include/0/radius_m", 422),
        (circle(radius_m=5, unit="miles"), "unknown-member", "/include/0", 422),
    ],
    "A17": [
        (feature(kind="galaxy", code="1"), "unknown-layer", "/include/0/kind", 422),
        (feature(kind="town"), "malformed-shape", "/include/0", 422),
        (feature(kind="town", code="1", name="Kent"), "malformed-shape", "/include/0", 422),
        (feature(kind="town", code=901_301_080), "malformed-shape", "/include/0", 422),
        (feature(kind="town", name="  "), "malformed-shape", "/include/0", 422),
    ],
}
CASES = [
    pytest.param(*case, marks=pytest.mark.shows(f"bad:{row}", "S05"), id=f"{row}-{number}")
    for row, cases in BAD.items()
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize(("area", "code", "pointer", "status"), CASES)
def test_is_refused_with_its_place(area: Any, code: str, pointer: str, status: int) -> None:
    with pytest.raises(GeometryRefused) as refused:
        read(area)
    assert (refused.value.code, refused.value.pointer, refused.value.status) == (
        code,
        pointer,
        status,
    )


@pytest.mark.shows("S05")
def test_outside_the_service_area_is_refused() -> None:
    for shift in (5.0, -5.0):
        with pytest.raises(GeometryRefused) as refused:
            read(polygon([[lon + shift, lat] for lon, lat in SQUARE]))
        assert refused.value.code == "outside-service-area"


@pytest.mark.shows("bad:A05", "G2")
def test_a_self_crossing_is_named_with_its_location() -> None:
    with pytest.raises(GeometryRefused, match=r"longitude -72\.700000, latitude 41\.600000"):
        read(polygon(BOW_TIE))


@pytest.mark.parametrize(
    "area",
    [
        pytest.param(polygon(comb(60)), id="comb"),
        pytest.param(polygon(comb(2_000)), id="long comb"),
        pytest.param(many(*([comb(40)] for _ in range(100))), id="hundred combs"),
        pytest.param(polygon([[-72.7, 41.6]] * 4_000), id="one point"),
        pytest.param(polygon(SQUARE, *(HOLE for _ in range(2_000))), id="same hole"),
        pytest.param(polygon([[math.nan, math.nan]] * 5_000), id="nans"),
        pytest.param(polygon([[-72.7, 41.6]] * 1_000_000), id="million"),
    ],
)
@pytest.mark.shows("S31", "bad:A07")
def test_a_bomb_is_refused_within_a_second(area: Any) -> None:
    began = time.process_time()
    with pytest.raises(GeometryRefused):
        read(area)
    assert time.process_time() - began < 1.0


@pytest.mark.shows("bad:A07")
def test_two_hundred_crossing_points_are_refused_at_once() -> None:
    area = polygon(comb(100))
    began = time.process_time()
    with pytest.raises(GeometryRefused):
        read(area)
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize(
    "area",
    [
        polygon(SQUARE),
        polygon(SQUARE[::-1]),
        polygon(SQUARE, HOLE),
        polygon([SQUARE[0], *SQUARE]),
        polygon(SQUARE, crs={"type": "name", "properties": {"name": "EPSG:4326"}}),
        many([SQUARE], [AWAY]),
        circle(radius_m=100_000),
        {"include": [polygon(SQUARE)["include"][0], polygon(AWAY)["include"][0]]},
    ],
)
def test_a_good_area_is_taken(area: Any) -> None:
    read(json.loads(json.dumps(area)))


def test_a_hole_touching_its_shell_in_one_point_is_good() -> None:
    touching = [[-72.8, 41.6], [-72.7, 41.55], [-72.7, 41.65], [-72.8, 41.6]]
    read(polygon(SQUARE, touching))
    assert shapely.Polygon(SQUARE, [touching]).is_valid
