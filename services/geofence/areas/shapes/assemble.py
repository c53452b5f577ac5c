"""Make one area of a request and the features it names; pure work on shapes, no database."""

from shapely import MultiPolygon, Polygon

from services.geofence.areas.shapes.check_area import check_area
from services.geofence.areas.shapes.draw import draw
from services.geofence.areas.shapes.shape import NOTHING, Given, Request
from services.geofence.areas.shapes.unite import Side, unite


def assemble(
    request: Request, *, include: Given = NOTHING, exclude: Given = NOTHING
) -> Polygon | MultiPolygon:
    """Draw what the request draws, unite it with what it names, and take away what it excludes.

    `include` and `exclude` are the geometries that the request's two sides name.

    Raises:
        GeometryRefused: too much is drawn, some of it wrong or elsewhere, or nothing is left.
    """
    included, excluded = draw(request)
    check_area([*included, *excluded])
    return unite(Side(included, include), Side(excluded, exclude))
