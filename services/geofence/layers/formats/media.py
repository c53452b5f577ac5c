"""The formats there are: their media types and the endings of their files."""

from pathlib import PurePath
from typing import Literal

Format = Literal["geojson", "shapefile", "gpkg", "kml", "kmz", "csv"]

MEDIA: dict[str, Format] = {
    "application/geo+json": "geojson",
    "application/json": "geojson",
    "application/zip": "shapefile",
    "application/x-zip-compressed": "shapefile",
    "application/geopackage+sqlite3": "gpkg",
    "application/vnd.google-earth.kml+xml": "kml",
    "application/vnd.google-earth.kmz": "kmz",
    "text/csv": "csv",
}
ENDINGS: dict[str, str] = {
    ".geojson": "application/geo+json",
    ".json": "application/geo+json",
    ".zip": "application/zip",
    ".gpkg": "application/geopackage+sqlite3",
    ".kml": "application/vnd.google-earth.kml+xml",
    ".kmz": "application/vnd.google-earth.kmz",
    ".csv": "text/csv",
}
# A boundary is no row of text, and an address no placemark.
BOUNDARIES: frozenset[Format] = frozenset({"geojson", "shapefile", "gpkg", "kml", "kmz"})
POINTS: frozenset[Format] = frozenset({"geojson", "shapefile", "gpkg", "csv"})


def format_of(media_type: str) -> Format | None:
    """Return the format of a media type, whatever its parameters, or None."""
    return MEDIA.get(media_type.partition(";")[0].strip().lower())


def media_of(name: str) -> str | None:
    """Return the media type of a file by its ending, or None."""
    return ENDINGS.get(PurePath(name).suffix.lower())
