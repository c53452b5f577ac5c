"""Boundaries as they were drawn at a moment: the layer version in force then, read once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.psaps import store
from services.geofence.psaps.ground import ROUNDING_M, edge_distance_m, metres_a_degree, wide_parts
from shared.db.session import Tx

# Two of each kind: what is in force and what was before.
MOST_LAYERS = 6


@dataclass(frozen=True, slots=True)
class Near:
    """A feature around a point: the point lies on its edge, give or take a metre, or inside."""

    code: str
    on_edge: bool


@dataclass(frozen=True, slots=True)
class Share:
    """A feature, the share it takes of an area, and whether that is all of it but for rounding."""

    code: str
    share: float
    whole: bool


@dataclass(frozen=True)
class Boundaries:
    """The features of one version of a layer, in the order of their codes."""

    kind: str
    version: int
    since: datetime
    codes: tuple[str, ...]
    names: tuple[str, ...]
    shapes: Sequence[BaseGeometry]
    tree: shapely.STRtree = field(repr=False)

    def around(self, lon: float, lat: float) -> list[Near]:
        """Return the features a point in degrees lies in or on the edge of."""
        east, north = metres_a_degree(lat)
        reach = shapely.box(
            lon - 2 * ROUNDING_M / east,
            lat - 2 * ROUNDING_M / north,
            lon + 2 * ROUNDING_M / east,
            lat + 2 * ROUNDING_M / north,
        )
        point = shapely.Point(lon, lat)
        found = []
        for number in sorted(self.tree.query(reach, predicate="intersects").tolist()):
            shape = self.shapes[number]
            on_edge = edge_distance_m(shape, lon, lat) <= ROUNDING_M
            if on_edge or shapely.intersects(shape, point):
                found.append(Near(self.codes[number], on_edge))
        return found

    def shape(self, *codes: str) -> BaseGeometry | None:
        """Return the geometry of the first of some codes that there is, or None."""
        for code in codes:
            if code in self.codes:
                return self.shapes[self.codes.index(code)]
        return None

    def shares(self, area: BaseGeometry) -> list[Share]:
        """Return which features take how much of an area, rounding left out."""
        found = []
        for number in sorted(self.tree.query(area, predicate="intersects").tolist()):
            common = wide_parts(shapely.intersection(self.shapes[number], area))
            if common:
                left = wide_parts(shapely.difference(area, self.shapes[number]))
                share = sum(part.area for part in common) / area.area
                found.append(Share(self.codes[number], min(1.0, share), whole=not left))
        return found


class Drawings:
    """Layer versions by their id, read once: a version never changes."""

    def __init__(self) -> None:
        self._known: dict[UUID, Boundaries] = {}

    async def at(self, tx: Tx, kind: str, at: datetime) -> Boundaries | None:
        """Return the boundaries of a kind in force at a moment, or None where there were none."""
        layer = await store.layer_at(tx, kind, at)
        if layer is None:
            return None
        known = self._known.pop(layer["layer_id"], None)
        if known is None:
            rows = await store.features(tx, layer["layer_id"])
            wkb = [bytes(one["wkb"]) for one in rows]
            shapes = (await asyncio.to_thread(shapely.from_wkb, wkb)).tolist()
            known = Boundaries(
                kind=kind,
                version=layer["version"],
                since=layer["since"],
                codes=tuple(one["code"] for one in rows),
                names=tuple(one["name"] for one in rows),
                shapes=shapes,
                tree=shapely.STRtree(shapes),
            )
        self._known[layer["layer_id"]] = known
        if len(self._known) > MOST_LAYERS:
            del self._known[next(iter(self._known))]
        # A version may have held more than once: since when, the moment asked for says.
        return replace(known, since=layer["since"])
