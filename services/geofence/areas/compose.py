"""Make one area of what a caller asked for: drawn shapes and named features, united."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry

from services.geofence.areas.area import Area, normalise
from services.geofence.areas.check_area import check_area
from services.geofence.areas.read_area import Drawn, Named, read_area
from services.geofence.layers.find_features import find_features
from services.geofence.layers.geometry import GeometryRefused
from services.geofence.layers.kinds import Feature, Layer
from shared.db.session import Tx


@dataclass(frozen=True, slots=True)
class Composed:
    """An area and the layer versions its named features came from."""

    area: Area
    layers: tuple[Layer, ...]


async def compose(tx: Tx, request: object) -> Composed:
    """Read, check and unite an area; nothing is repaired and nothing left out.

    Raises:
        GeometryRefused: any part of it is missing, wrong or unknown.
    """
    shapes = await asyncio.to_thread(read_area, request)
    drawn = [shape for shape in shapes if isinstance(shape, Drawn)]
    await asyncio.to_thread(check_area, drawn)
    named = [shape for shape in shapes if isinstance(shape, Named)]
    parts: list[BaseGeometry] = [shape.polygon for shape in drawn]
    layers = []
    for kind in dict.fromkeys(shape.kind for shape in named):
        asked = [shape for shape in named if shape.kind == kind]
        layer, geometries = await _find(tx, kind, asked)
        layers.append(layer)
        parts.extend(geometries)
    area = await asyncio.to_thread(normalise, parts)
    return Composed(area, tuple(layers))


async def _find(tx: Tx, kind: str, asked: Sequence[Named]) -> tuple[Layer, list[BaseGeometry]]:
    found = await find_features(tx, kind)
    if found is None:
        raise GeometryRefused(
            "unknown-layer", f"{asked[0].pointer}/kind", "No layer of this kind is imported."
        )
    layer, features = found
    by_code = {feature.code: [feature] for feature in features}
    by_name: dict[str, list[Feature]] = {}
    for feature in features:
        by_name.setdefault(feature.name.casefold(), []).append(feature)
    geometries = []
    for shape in asked:
        matches = (
            by_code.get(shape.code, [])
            if shape.code is not None
            else by_name.get(str(shape.name).casefold(), [])
        )
        geometries.append(_only_one(matches, shape).geometry)
    return layer, geometries


def _only_one(matches: Sequence[Feature], shape: Named) -> Feature:
    member = "code" if shape.code is not None else "name"
    if not matches:
        raise GeometryRefused(
            "unknown-feature", f"{shape.pointer}/{member}", f"The layer has no such {member}."
        )
    if len(matches) > 1:
        codes = ", ".join(match.code for match in matches)
        raise GeometryRefused(
            "ambiguous-name", f"{shape.pointer}/name", f"Several features: name a code of {codes}."
        )
    return matches[0]
