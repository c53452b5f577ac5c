"""Reads a GeoJSON FeatureCollection into features, or reports all that is wrong with it."""

from dataclasses import dataclass

import orjson

from services.geofence.layers.geometry import GeometryRefused, check_crs, read_polygon
from services.geofence.layers.kinds import Feature

MOST_FAULTS = 100
# Codes of bytes that nobody can read, other than of a layer that means nothing.
UNREADABLE = frozenset({"empty-body", "malformed-json"})


@dataclass(frozen=True, slots=True)
class LayerFault:
    """One thing wrong: the feature by its code, the place as a JSON pointer, what it is."""

    feature: str
    pointer: str
    code: str
    detail: str


class LayerInvalid(Exception):
    """A file that is no usable layer, with its validity report."""

    def __init__(self, faults: list[LayerFault]) -> None:
        first = faults[0]
        super().__init__(f"{len(faults)} faults; first {first.pointer}: {first.detail}")
        self.faults = faults


def read_geojson(data: bytes, *, code_field: str, name_field: str) -> list[Feature]:
    """Read features in longitude and latitude WGS 84, in the order of their codes.

    Raises:
        LayerInvalid: not a FeatureCollection, or features without code, name or valid polygon,
            or two of one code.
    """
    features, faults = [], []
    seen: dict[str, int] = {}
    for number, member in enumerate(_members(data)):
        at = f"/features/{number}"
        try:
            feature = _read_feature(member, at, code_field, name_field)
            if feature.code in seen:
                raise GeometryRefused(
                    "duplicate-code", at, f"Feature {seen[feature.code]} has the same code."
                )
            seen[feature.code] = number
            features.append(feature)
        except GeometryRefused as error:
            known = _text(member, code_field) or f"number {number}"
            faults.append(LayerFault(known, error.pointer, error.code, error.detail))
            if len(faults) >= MOST_FAULTS:
                break
    if faults:
        raise LayerInvalid(faults)
    return sorted(features, key=lambda feature: feature.code)


def _members(data: bytes) -> list[object]:
    if not data.strip():
        raise _unreadable("empty-body", "The file is empty.")
    try:
        collection = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _unreadable("malformed-json", f"The file is not JSON: {error}.") from None
    if not isinstance(collection, dict) or collection.get("type") != "FeatureCollection":
        raise _unreadable("not-a-collection", "The file is not a GeoJSON FeatureCollection.")
    try:
        check_crs(collection, pointer="")
    except GeometryRefused as error:
        raise _unreadable(error.code, error.detail) from None
    members = collection.get("features")
    if not isinstance(members, list) or not members:
        raise _unreadable("empty-layer", "The file holds no features.")
    return members


def _unreadable(code: str, detail: str) -> LayerInvalid:
    return LayerInvalid([LayerFault("", "", code, detail)])


def _read_feature(member: object, at: str, code_field: str, name_field: str) -> Feature:
    if not isinstance(member, dict) or member.get("type") != "Feature":
        raise GeometryRefused("not-a-feature", at, "Every member must be a GeoJSON Feature.")
    code, name = _text(member, code_field), _text(member, name_field)
    for what, value in (("code", code), ("name", name)):
        if not value:
            detail = f"The property that holds the {what} is missing."
            raise GeometryRefused("property-required", f"{at}/properties", detail)
    geometry = read_polygon(member.get("geometry"), pointer=f"{at}/geometry")
    return Feature(str(code), str(name), geometry)


def _text(member: object, field: str) -> str | None:
    properties = member.get("properties") if isinstance(member, dict) else None
    value = properties.get(field) if isinstance(properties, dict) else None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = " ".join(str(value).split())
    return text if text.isprintable() else None
