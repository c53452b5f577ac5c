"""The layers every question about an area is held against, kept ready between questions."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.jurisdictions import cores_of, enters
from services.geofence.areas.measure import areas_km2, flatten
from services.geofence.index.counting.town_grid import TownGrid, make_town_grid
from services.geofence.index.geodesy import Floats
from services.geofence.layers.find_features import find_features
from services.geofence.layers.kinds import Feature, Layer
from shared.db.session import Tx

TOWN, JURISDICTION = "town", "jurisdiction"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One layer version: features by code, their shapes, trees in degrees and on the plane.

    `cores` are the shapes without the metre along their edges.
    """

    layer: Layer
    features: tuple[Feature, ...]
    shapes: NDArray[np.object_]
    cores: NDArray[np.object_]
    tree: STRtree
    flat: STRtree
    km2: Floats
    grid: TownGrid | None

    def of(self, code: str) -> Feature | None:
        """Return the feature of a code, or None."""
        return next((one for one in self.features if one.code == code), None)

    def met(self, area: BaseGeometry) -> NDArray[np.int64]:
        """Return the numbers of the features that an area enters by more than a metre."""
        shapely.prepare(area)
        near = np.sort(self.tree.query(area, predicate="intersects"))
        return np.asarray(near[enters(area, self.cores[near])])

    def entered(self, area: BaseGeometry) -> list[Feature]:
        """Return the features that an area enters by more than a metre, by their codes."""
        return [self.features[number] for number in self.met(area).tolist()]


@dataclass(frozen=True, slots=True)
class Sheets:
    """The layers in force that an area is held against; None what is not imported."""

    towns: Sheet | None
    jurisdictions: Sheet | None


class Atlas:
    """The sheets in force; which those are is read in each transaction, what is on them once."""

    def __init__(self) -> None:
        self._sheets: dict[str, Sheet] = {}
        self._drawing = asyncio.Lock()

    async def sheets(self, tx: Tx) -> Sheets:
        """Return the sheets in force in this transaction."""
        return Sheets(await self.sheet(tx, TOWN), await self.sheet(tx, JURISDICTION))

    async def sheet(self, tx: Tx, kind: str) -> Sheet | None:
        """Return the sheet of the layer of a kind in force, None where none is imported."""
        found = await find_features(tx, kind, codes=[])
        if found is None:
            return None
        layer = found[0]
        async with self._drawing:
            known = self._sheets.get(kind)
            if known is None or known.layer.layer_id != layer.layer_id:
                known = await self._draw(tx, kind)
        return known

    async def _draw(self, tx: Tx, kind: str) -> Sheet | None:
        found = await find_features(tx, kind)
        if found is None or not found[1]:
            return None
        sheet = await asyncio.to_thread(draw_sheet, *found)
        self._sheets[kind] = sheet
        return sheet


def draw_sheet(layer: Layer, features: Sequence[Feature]) -> Sheet:
    """Make a sheet of a layer version, which takes a tenth of a second for all towns."""
    ordered = tuple(sorted(features, key=lambda feature: feature.code))
    shapes = np.array([feature.geometry for feature in ordered], object)
    flat = flatten(list(shapes))
    km2 = areas_km2([one.geometry for one in ordered])
    grid = None
    if layer.kind == TOWN:
        grid = make_town_grid([(one.code, one.geometry) for one in ordered])
    return Sheet(
        layer, ordered, shapes, cores_of(shapes), STRtree(shapes), STRtree(flat), km2, grid
    )
