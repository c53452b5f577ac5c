"""Takes a GeoJSON FeatureCollection apart: its features and its reference system."""

from dataclasses import dataclass

import orjson

from services.geofence.layers.faults import LayerInvalid, whole_file

# RFC 7946 section 4: the only reference system, by the names older files give it.
_WGS_84 = {"urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "EPSG:4326"}


@dataclass(frozen=True, slots=True)
class Collection:
    """The members of a collection; the name of its reference system where it is not WGS 84."""

    members: list[object]
    crs: str | None


def read_collection(data: bytes) -> Collection:
    """Read the bytes of a collection.

    Raises:
        LayerInvalid: not JSON, no collection, without features, or of a nameless system.
    """
    if not data.strip():
        raise whole_file("empty-body", "The file is empty.")
    try:
        collection = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise whole_file("malformed-json", f"The file is not JSON: {error}.") from None
    if not isinstance(collection, dict) or collection.get("type") != "FeatureCollection":
        raise whole_file("not-a-collection", "The file is not a GeoJSON FeatureCollection.")
    crs = _crs_name(collection.get("crs"))
    members = collection.get("features")
    if not isinstance(members, list) or not members:
        raise whole_file("empty-layer", "The file holds no features.")
    return Collection(members, None if crs in _WGS_84 else crs)


def _crs_name(crs: object) -> str | None:
    if crs is None:
        return None
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        raise unsupported_crs()
    return name


def unsupported_crs() -> LayerInvalid:
    """Make the refusal of a reference system whose name means nothing here."""
    return whole_file("unsupported-crs", "The reference system is not named by a known code.")
