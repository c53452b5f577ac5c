"""Reading layers with a validity report, and locating points in their features."""

import json
from typing import Any

import numpy as np
import pytest
import shapely

from services.geofence.layers.geometry import LARGE_POLYGON
from services.geofence.layers.kinds import Feature
from services.geofence.layers.locate import locate
from services.geofence.layers.read_geojson import LayerInvalid, read_geojson

SQUARE = [[-72.8, 41.5], [-72.6, 41.5], [-72.6, 41.7], [-72.8, 41.7], [-72.8, 41.5]]
BOW_TIE = [[-72.8, 41.5], [-72.6, 41.7], [-72.6, 41.5], [-72.8, 41.7], [-72.8, 41.5]]


def feature(code: Any = "1", name: Any = "Kent", ring: Any = SQUARE, **more: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [ring]}
    properties = {"geoid": code, "name": name}
    return {"type": "Feature", "properties": properties, "geometry": geometry} | more


def collection(*features: Any, **more: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features, **more}).encode()


def read(data: bytes) -> list[Feature]:
    return read_geojson(data, code_field="geoid", name_field="name")


def test_features_come_in_the_order_of_their_codes() -> None:
    found = read(collection(feature("b", "B"), feature(7, "Seven"), feature("a", " A  town ")))
    assert [(one.code, one.name) for one in found] == [("7", "Seven"), ("a", "A town"), ("b", "B")]


def test_fields_may_be_others() -> None:
    data = collection(feature(properties={"ugc": "CTZ001", "label": "Northern Litchfield"}))
    (found,) = read_geojson(data, code_field="ugc", name_field="label")
    assert (found.code, found.name) == ("CTZ001", "Northern Litchfield")


@pytest.mark.parametrize(
    ("data", "code", "pointer"),
    [
        (b"no json", "malformed-json", ""),
        (b"[]", "not-a-collection", ""),
        (json.dumps(feature()).encode(), "not-a-collection", ""),
        (collection(), "empty-layer", ""),
        (
            collection(feature(), crs={"type": "name", "properties": {"name": "ours"}}),
            "unsupported-crs",
            "",
        ),
        (collection(feature(), None), "not-a-feature", "/features/1"),
        (collection(feature(code=None)), "property-required", "/features/0/properties"),
        (collection(feature(code="x" * 201)), "property-required", "/features/0/properties"),
        (collection(feature(name="\u0000")), "control-char", "/features/0/properties/name"),
        (collection(feature(name="")), "property-required", "/features/0/properties"),
        (collection(feature(properties=None)), "property-required", "/features/0/properties"),
        (collection(feature(), feature()), "duplicate-code", "/features/1"),
        (collection(feature(geometry=None)), "geometry-required", "/features/0/geometry"),
        (
            collection(feature("2"), feature("1", ring=BOW_TIE)),
            "self-intersection",
            "/features/1/geometry/coordinates/0/0",
        ),
        (
            collection(feature(ring=[[-72.8, 41.5, 3.0, 4.0], *SQUARE])),
            "malformed-position",
            "/features/0/geometry/coordinates/0/0",
        ),
    ],
)
@pytest.mark.shows("G2")
def test_a_bad_file_is_reported_with_feature_and_vertex(
    data: bytes, code: str, pointer: str
) -> None:
    with pytest.raises(LayerInvalid) as invalid:
        read(data)
    assert [(fault.code, fault.pointer) for fault in invalid.value.faults] == [(code, pointer)]


@pytest.mark.shows("G2")
def test_all_faults_are_reported_at_once_by_the_features_code() -> None:
    bad = collection(feature("x", ring=BOW_TIE), feature("y"), feature("z", geometry=None))
    with pytest.raises(LayerInvalid) as invalid:
        read(bad)
    assert [fault.feature for fault in invalid.value.faults] == ["x", "z"]


@pytest.mark.shows("G10")
def test_points_are_located_on_edges_too_and_nowhere_is_nowhere() -> None:
    west = Feature("1", "West", shapely.box(-72.8, 41.5, -72.6, 41.7))
    east = Feature("2", "East", shapely.box(-72.6, 41.5, -72.4, 41.7))
    lon = np.array([-72.7, -72.5, -72.6, -72.8, -72.0])
    found = locate([east, west], lon, np.array([41.6, 41.6, 41.6, 41.5, 41.6]))
    assert [one and one.code for one in found] == ["1", "2", "1", "1", None]
    assert locate([west], np.empty(0), np.empty(0)) == []
    assert locate([], lon[:1], lon[:1]) == [None]


@pytest.mark.shows("S31", "bad:A07")
def test_a_large_tangle_is_refused_and_a_large_outline_is_not() -> None:
    """To find the first of a star's billion crossings takes longer than anybody waits."""
    turn = np.linspace(0, 2 * np.pi, LARGE_POLYGON, endpoint=False)
    around = np.column_stack([-72.7 + 0.2 * np.cos(turn), 41.6 + 0.2 * np.sin(turn)])
    for order, tangled in ((np.arange(len(turn)), False), (np.arange(len(turn)) * 4_999, True)):
        ring = around[order % len(turn)].tolist()
        data = collection(feature(ring=[*ring, ring[0]]))
        if not tangled:
            assert shapely.get_num_coordinates(read(data)[0].geometry) == LARGE_POLYGON + 1
            continue
        with pytest.raises(LayerInvalid) as refused:
            read(data)
        assert [one.code for one in refused.value.faults] == ["too-complex"]
