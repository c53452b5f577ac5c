"""Reads a GeoJSON FeatureCollection into features, or reports all that is wrong with it."""

from services.geofence.layers.faults import LayerFault, LayerInvalid
from services.geofence.layers.formats.collect import MOST_FEATURES, Collector
from services.geofence.layers.formats.members import open_members
from services.geofence.layers.kinds import Feature

__all__ = ["LayerFault", "LayerInvalid", "read_geojson"]


def read_geojson(data: bytes, *, code_field: str, name_field: str) -> list[Feature]:
    """Read features in longitude and latitude WGS 84, in the order of their codes.

    It reads in this very process: files from outside go through `formats.read_features`.

    Raises:
        LayerInvalid: not a FeatureCollection, or features without code, name or valid polygon,
            or two of one code.
    """
    opened = open_members(
        "geojson", data, layer=None, fields=[code_field, name_field], most=MOST_FEATURES
    )
    collector = Collector(
        code_field=code_field, name_field=name_field, to_degrees=opened.to_degrees
    )
    return sorted(collector.read(opened.members).features, key=lambda feature: feature.code)
