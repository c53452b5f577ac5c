"""Read the polygons of a file that draws an area, in a process apart."""

from itertools import accumulate, pairwise
from typing import Any

import shapely

from services.geofence.layers.faults import whole_file
from services.geofence.layers.formats.media import BOUNDARIES, format_of
from services.geofence.layers.formats.sandbox.run_apart import Bounds, run_apart

# A drawing has at most 10,000 vertices: whoever needs longer has something else in mind.
BOUNDS = Bounds(seconds=20, memory=1 << 30, output=10_000_000)


def read_shapes(data: bytes, media_type: str, *, layer: str | None = None) -> list[dict[str, Any]]:
    """Return a file's areas as GeoJSON geometries in degrees WGS 84, in the file's order.

    What may be drawn by hand bounds a file too: 100 polygons, 10,000 vertices, 5,000 a ring.

    Raises:
        LayerInvalid: the file is of another format, or anything in it is wrong.
    """
    found = format_of(media_type)
    if found not in BOUNDARIES:
        raise whole_file("unsupported-format", "The file is of no format that is read here.")
    job = {"purpose": "areas", "format": found, "layer": layer}
    with run_apart(job, data, bounds=BOUNDS) as answer:
        (packed,) = answer
        sizes = answer.summary()["sizes"]
    starts = accumulate(sizes, initial=0)
    return [
        _listed(shapely.geometry.mapping(one))
        for one in shapely.from_wkb([packed[at:end] for at, end in pairwise(starts)])
    ]


def _listed(geometry: dict[str, Any]) -> dict[str, Any]:
    """Write positions as lists, the way JSON has them and the strict reader wants them."""

    def lists(value: Any) -> Any:
        return [lists(one) for one in value] if isinstance(value, (tuple, list)) else value

    return {"type": geometry["type"], "coordinates": lists(geometry["coordinates"])}
