"""Opens what GDAL reads as features the way GeoJSON writes them."""

from collections.abc import Iterable, Iterator, Sequence

from services.geofence.layers.formats.archive import open_archive
from services.geofence.layers.formats.gdal.geopackage import choose_table
from services.geofence.layers.formats.gdal.source import (
    Batch,
    Source,
    match,
    open_shapefile,
    open_source,
    read_batches,
)
from services.geofence.layers.formats.gdal.wkb import MalformedWkb, read_wkb
from services.geofence.layers.formats.media import Format


def open_layer(
    format: Format, data: bytes, *, layer: str | None, points: bool = False
) -> tuple[str, Source]:
    """Open the one layer of a GeoPackage or of an archive of shapefiles that is meant.

    Raises:
        LayerInvalid: there is no one such layer, or it is not whole.
    """
    if format == "gpkg":
        table = choose_table(data, layer=layer, points=points)
        return table.name, open_source(data, table.name)
    return open_shapefile(open_archive(data), layer=layer)


def features_of(source: Source, *, fields: Sequence[str], most: int) -> Iterator[object]:
    """Read a layer's features in the file's order.

    Raises:
        LayerInvalid: there are more than `most`, or GDAL cannot read them as they are.
    """
    for batch in read_batches(source, fields=match(source, fields), most=most):
        yield from _features(batch)


def _features(batch: Batch) -> Iterable[object]:
    for number, wkb in enumerate(batch.geometries):
        properties = {name: values[number] for name, values in batch.values.items()}
        geometry: object = None
        if wkb is not None:
            try:
                geometry = read_wkb(bytes(wkb))
            except MalformedWkb:
                geometry = {"type": "malformed"}
        yield {"type": "Feature", "properties": properties, "geometry": geometry}
