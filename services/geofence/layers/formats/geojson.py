"""Takes a GeoJSON FeatureCollection apart: its features and its reference system."""

from dataclasses import dataclass
from typing import Any

from services.geofence.layers.faults import LayerFault, LayerInvalid, whole_file
from shared.web.strict import NotStrict, read_strict

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
        LayerInvalid: no strict JSON, no collection, without features, or of a nameless system.
    """
    collection = _read(data)
    if not isinstance(collection, dict) or collection.get("type") != "FeatureCollection":
        raise whole_file("not-a-collection", "The file is not a GeoJSON FeatureCollection.")
    crs = _crs_name(collection.get("crs"))
    members = collection.get("features")
    if not isinstance(members, list) or not members:
        raise whole_file("empty-layer", "The file holds no features.")
    return Collection(members, None if crs in _WGS_84 else crs)


def _read(data: bytes) -> Any:
    """Read the bytes of a file as strict JSON, as strictly as the body of any request.

    Raises:
        LayerInvalid: it is none; where numbers or texts are not allowed, at their places.
    """
    try:
        return read_strict(data, "file")
    except NotStrict as error:
        if not error.faults:
            raise whole_file(error.code, error.detail) from None
        faults = [LayerFault("", one.pointer, one.code, error.detail) for one in error.faults]
        raise LayerInvalid(faults) from None


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
