"""Read the shapes of a file that draws an area."""

from dataclasses import replace
from typing import Any

import orjson

from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats.media import format_of
from services.geofence.layers.formats.read_shapes import read_shapes
from shared.web.bodies import read_json

# What a collection is wrapped around, and what that puts before a pointer.
_BARE = {
    "Feature": "/features/0",
    "Polygon": "/features/0/geometry",
    "MultiPolygon": "/features/0/geometry",
}


def read_upload(data: bytes, media: str, *, layer: str | None = None) -> list[dict[str, Any]]:
    """Return the areas of a file as shapes of the grammar, in degrees WGS 84.

    Of GeoJSON a feature or a geometry by itself is read as well as a collection.

    Raises:
        LayerInvalid: the file is of another format, or anything in it is wrong.
        Problem: its JSON is not strict, as with the body of any request.
    """
    before = ""
    if format_of(media) == "geojson":
        data, before = _collected(data)
    try:
        drawn = read_shapes(data, media, layer=layer)
    except LayerInvalid as error:
        faults = [
            replace(fault, pointer=fault.pointer.removeprefix(before)) for fault in error.faults
        ]
        raise LayerInvalid(faults) from None
    return [{"type": "geojson", "geometry": geometry} for geometry in drawn]


def _collected(data: bytes) -> tuple[bytes, str]:
    """Return GeoJSON as a collection, and what that puts before its pointers."""
    read = read_json(data)
    kind = read.get("type") if isinstance(read, dict) else None
    before = _BARE.get(kind, "") if isinstance(kind, str) else ""
    if not before:
        return data, ""
    crs = {"crs": read.pop("crs")} if "crs" in read else {}
    feature = read if kind == "Feature" else {"type": "Feature", "properties": {}, "geometry": read}
    return orjson.dumps({"type": "FeatureCollection", "features": [feature], **crs}), before
