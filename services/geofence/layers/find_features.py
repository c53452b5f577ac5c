"""Find features of the layer of a kind that is in force, or of another version of it."""

from collections.abc import Sequence

import shapely

from services.geofence.layers import store
from services.geofence.layers.kinds import Feature, Layer
from shared.db.session import Tx


async def find_features(
    tx: Tx,
    kind: str,
    *,
    codes: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    version: int | None = None,
) -> tuple[Layer, list[Feature]] | None:
    """Return a layer and its features of some codes or names; None where there is no such layer.

    It is the version in force unless one is named. Names are compared in any case; without codes
    and names all features are returned.
    """
    layer = await store.layer_of(tx, kind, version)
    if layer is None:
        return None
    found = await store.features(tx, layer.layer_id, codes=codes, names=names)
    geometries = shapely.from_wkb([one["wkb"] for one in found])
    return layer, [
        Feature(one["code"], one["name"], geometry)
        for one, geometry in zip(found, geometries, strict=True)
    ]
