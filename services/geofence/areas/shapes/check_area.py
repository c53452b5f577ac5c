"""Checks that what was drawn lies near the state."""

from collections.abc import Sequence

import shapely

from services.geofence.areas.shapes.draw import Drawn
from services.geofence.layers.geometry import GeometryRefused
from shared.connecticut import in_service_area, is_swapped


def check_area(drawn: Sequence[Drawn]) -> None:
    """Return if every drawn shape lies in the service area.

    Raises:
        GeometryRefused: something lies elsewhere in the world.
    """
    for shape in drawn:
        _check_place(shape)


def _check_place(shape: Drawn) -> None:
    if shape.centre is not None:
        points = [shape.centre]
    else:
        points = [(x, y) for x, y in shapely.get_coordinates(shape.polygon).tolist()]
    outside = [point for point in points if not in_service_area(*point)]
    if not outside:
        return
    if all(is_swapped(lon, lat) for lon, lat in points):
        raise GeometryRefused(
            "swapped-coordinates",
            shape.pointer,
            "Longitude comes first, then latitude; here they seem to be swapped.",
        )
    lon, lat = outside[0]
    raise GeometryRefused(
        "outside-service-area",
        shape.pointer,
        f"Longitude {lon:.5f}, latitude {lat:.5f} is more than 50 km from Connecticut.",
    )
