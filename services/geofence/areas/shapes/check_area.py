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
    points = [shape.centre] if shape.centre is not None else _corners(shape)
    outside = next((n for n, point in enumerate(points) if not in_service_area(*point)), None)
    if outside is None:
        return
    at = shape.pointer if shape.centre is not None else _place(shape, outside)
    if is_swapped(*points[outside]):
        raise GeometryRefused(
            "swapped-coordinates",
            at,
            "Longitude comes first, then latitude; swapped, this point would lie in Connecticut"
            " or within 50 km of it.",
        )
    raise GeometryRefused(
        "outside-service-area", at, "This point is more than 50 km from Connecticut."
    )


def _corners(shape: Drawn) -> list[tuple[float, float]]:
    return [(x, y) for x, y in shapely.get_coordinates(shape.polygon).tolist()]


def _place(shape: Drawn, corner: int) -> str:
    """Return the pointer to a corner of a sketch, whose rings stand as they were drawn."""
    many = shape.polygon.geom_type == "MultiPolygon"
    for number, part in enumerate(shapely.get_parts(shape.polygon)):
        for ring, line in enumerate(shapely.get_rings(part)):
            size = len(line.coords)
            if corner < size:
                at = f"{shape.pointer}/coordinates"
                return f"{at}/{number}/{ring}/{corner}" if many else f"{at}/{ring}/{corner}"
            corner -= size
    return shape.pointer
