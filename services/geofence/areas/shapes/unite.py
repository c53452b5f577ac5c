"""Make one area of its parts: the union of what is included less what is excluded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.shapes.crossings import cross_too_often
from services.geofence.areas.shapes.draw import Drawn
from services.geofence.areas.shapes.shape import NOTHING, Given
from services.geofence.areas.shapes.windings import wind_too_far
from services.geofence.layers.geometry import GeometryRefused

# Overlays put new corners on the nearest number there is; 0.01 mm is far more than they err.
ROUNDING_DEG = 1e-10
# What rounding leaves between two borders that were meant to be one: less than 10 cm² in all.
CRUMBS_DEG2 = 1e-13


@dataclass(frozen=True, slots=True)
class Side:
    """What is included, or what is excluded: drawn by the caller, and named."""

    drawn: Sequence[Drawn] = ()
    given: Given = NOTHING

    @property
    def loose(self) -> list[BaseGeometry]:
        """Return the parts whose crossings count: sketches, saved areas, and all round as one.

        Two circles cross in two points, so that their number makes uniting them no harder.
        """
        rounds = [one.polygon for one in self.drawn if one.is_round]
        sketches = [one.polygon for one in self.drawn if not one.is_round]
        return [*sketches, *self.given.saved, *([_one(rounds)] if rounds else [])]

    @property
    def known(self) -> list[BaseGeometry]:
        """Return all features as one; layers are nobody's drawing."""
        return [_one(self.given.features)] if self.given.features else []


NO_SIDE = Side()


def unite(include: Side, exclude: Side = NO_SIDE) -> Polygon | MultiPolygon:
    """Unite what is included and take away what is excluded.

    A border belongs to both sides: who stands on the rim of an excluded shape is on the edge of
    what is left, and so inside. Whole surfaces only are left: no line, no point.

    Raises:
        GeometryRefused: nothing is left, or the shapes cross too often to be worked on.
    """
    loose, known = (include.loose, exclude.loose), (include.known, exclude.known)
    if cross_too_often([*loose[0], *loose[1]], [*known[0], *known[1]]):
        raise GeometryRefused(
            "too-complex", "/include", "The shapes cross each other too often.", status=413
        )
    if any(wind_too_far(one) for one in (*loose[0], *loose[1])):
        raise GeometryRefused(
            "too-complex", "/include", "The edges together run too far.", status=413
        )
    whole, taken = _one([*loose[0], *known[0]]), [*loose[1], *known[1]]
    if not taken:
        return _surfaces(whole)
    less = _one(taken)
    left = _surfaces(shapely.difference(whole, less), least=CRUMBS_DEG2)
    _check_left(left, whole, less)
    return left


def _one(parts: Sequence[BaseGeometry]) -> BaseGeometry:
    # One part stays as it was drawn, to the last digit; only several need new vertices.
    if len(parts) == 1:
        return parts[0]
    shapes = np.array(parts, object)
    lone = _stand_alone(shapes)
    if not lone.any():
        return shapely.union_all(shapes)
    polygons = shapely.get_parts([*shapes[lone], shapely.union_all(shapes[~lone])])
    return MultiPolygon(polygons.tolist())


def _stand_alone(shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Say which shapes have the cells of a grid, each as wide as the widest, to themselves.

    Houses of a list mostly do: to unite thousands with all others takes half a second.
    """
    bounds = shapely.bounds(shapes)
    # A little wider, so that no rounding makes a shape reach over more than two cells each way.
    wide = 1.001 * float((bounds[:, 2:] - bounds[:, :2]).max())
    west, south, east, north = np.floor(bounds / wide).astype(np.int64).T
    corners = [(x, y) for x in (west, east) for y in (south, north)]
    cells = np.stack([np.stack([*corner, np.arange(len(shapes))]) for corner in corners], axis=2)
    column, row, shape = np.unique(cells.reshape(3, -1), axis=1)
    _, cell, shapes_in = np.unique(
        np.stack([column, row]), axis=1, return_inverse=True, return_counts=True
    )
    alone = np.ones(len(shapes), np.bool_)
    alone[shape[shapes_in[cell] > 1]] = False
    return alone


def _surfaces(geometry: BaseGeometry, *, least: float = 0.0) -> Polygon | MultiPolygon:
    parts = shapely.get_parts(geometry)
    solid = parts[shapely.area(parts) > 0]
    if not shapely.area(solid).sum() > least:
        raise GeometryRefused("empty-area", "/include", "The shapes together enclose nothing.")
    area: Polygon | MultiPolygon = solid[0] if len(solid) == 1 else MultiPolygon(solid.tolist())
    if not shapely.is_valid(area):
        raise GeometryRefused("invalid-geometry", "/include", "The shapes cannot be united.")
    return area


def _check_left(left: BaseGeometry, whole: BaseGeometry, less: BaseGeometry) -> None:
    """Refuse a difference that is not one: by other means than the overlay that made it."""
    spots = shapely.point_on_surface(shapely.get_parts(left))
    shapely.prepare([whole, less])
    astray = bool(np.any(~shapely.dwithin(whole, spots, ROUNDING_DEG)))
    within = spots[shapely.contains_properly(less, spots)]
    if len(within):
        # A sliver's own middle may lie on the rim of what was taken away.
        rim = shapely.boundary(less)
        astray |= bool(np.any(~shapely.dwithin(rim, within, ROUNDING_DEG)))
    grown = shapely.area(left) > shapely.area(whole) * (1 + 1e-9)
    if grown or astray:
        raise GeometryRefused("invalid-geometry", "/exclude", "The shapes cannot be parted.")
