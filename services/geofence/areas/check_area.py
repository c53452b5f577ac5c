"""Checks what was drawn as a whole: how much of it there is, and whether it lies near the state."""

from collections.abc import Sequence

import shapely

from services.geofence.areas.crossings import cross_too_often
from services.geofence.areas.read_area import CAPS, Drawn
from services.geofence.layers.geometry import GeometryRefused
from shared.connecticut import in_service_area, is_swapped


def check_area(drawn: Sequence[Drawn]) -> None:
    """Return if the drawn shapes together keep the caps and lie in the service area.

    Raises:
        GeometryRefused: too much was drawn, or something lies elsewhere in the world.
    """
    own = [shape for shape in drawn if not shape.is_circle]
    polygons = sum(len(shapely.get_parts(shape.polygon)) for shape in own)
    vertices = sum(int(shapely.get_num_coordinates(shape.polygon)) for shape in own)
    if polygons > CAPS.polygons or vertices > CAPS.vertices:
        raise GeometryRefused(
            "too-complex",
            "/include",
            f"At most {CAPS.polygons} polygons and {CAPS.vertices} vertices in all.",
            status=413,
        )
    for shape in drawn:
        _check_place(shape)
    if cross_too_often([shape.polygon for shape in own]):
        raise GeometryRefused(
            "too-complex", "/include", "The shapes cross each other too often.", status=413
        )


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
