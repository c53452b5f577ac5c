"""Opens a boundary file of any format as features the way GeoJSON writes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.geofence.layers.faults import whole_file
from services.geofence.layers.formats.geojson import read_collection, unsupported_crs
from services.geofence.layers.formats.kml import read_placemarks, unpack_kmz
from services.geofence.layers.formats.media import Format
from services.geofence.layers.formats.positions import ToDegrees

WGS_84 = "OGC:CRS84"


@dataclass(frozen=True, slots=True)
class Members:
    """A file's features, its inner layer's name, its reference system and the way from there."""

    members: Iterable[object]
    layer: str
    crs: str
    to_degrees: ToDegrees | None


def open_members(
    format: Format, data: bytes, *, layer: str | None, fields: Sequence[str], most: int
) -> Members:
    """Open a file of boundaries; of other properties than `fields` none need be read.

    Raises:
        LayerInvalid: the file as a whole cannot be used.
    """
    if not data:
        raise whole_file("empty-body", "The file is empty.")
    if format == "geojson":
        return _geojson(data)
    if format in ("kml", "kmz"):
        name, found = read_placemarks(unpack_kmz(data) if format == "kmz" else data, layer=layer)
        return Members(found, name, WGS_84, None)
    return _gdal(format, data, layer=layer, fields=fields, most=most)


def _geojson(data: bytes) -> Members:
    collection = read_collection(data)
    if collection.crs is None:
        return Members(collection.members, "", WGS_84, None)
    from services.geofence.layers.formats.crs import crs_of_urn, projection_of

    crs = crs_of_urn(collection.crs)
    if crs is None:
        raise unsupported_crs()
    way = projection_of(crs)
    return Members(collection.members, "", way.name, way.to_degrees if way.transformer else None)


def _gdal(
    format: Format, data: bytes, *, layer: str | None, fields: Sequence[str], most: int
) -> Members:
    # Heavy to load, and not every file needs it.
    from services.geofence.layers.formats.crs import projection_of
    from services.geofence.layers.formats.gdal.features import features_of, open_layer

    name, opened = open_layer(format, data, layer=layer)
    way = projection_of(opened.crs)
    found = features_of(opened, fields=fields, most=most)
    return Members(found, name, way.name, way.to_degrees if way.transformer else None)
