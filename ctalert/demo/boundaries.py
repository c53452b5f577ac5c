"""The outlines of towns, asked of the geofence, as CAP writes them."""

from collections.abc import Sequence

from ctalert.demo.ask import Api
from ctalert.demo.message import Ring


class TownMissing(Exception):
    """A town has no boundary yet: import the layer first."""


async def outlines(geofence: Api, names: Sequence[str]) -> list[Ring]:
    """Return the outer rings of the named towns, (lat, lon) in degrees WGS 84.

    Raises:
        TownMissing: no imported layer of towns has one of that name.
    """
    rings: list[Ring] = []
    for name in names:
        found = await geofence.get("/v1/layers/town/features", name=name)
        if not found["features"]:
            raise TownMissing(
                f"{name} has no boundary yet: ./ctl layers import FILE --kind town first"
            )
        for feature in found["features"]:
            geometry = feature["geometry"]
            shapes = geometry["coordinates"]
            polygons = [shapes] if geometry["type"] == "Polygon" else shapes
            rings += [[(lat, lon) for lon, lat in polygon[0]] for polygon in polygons]
    return rings
