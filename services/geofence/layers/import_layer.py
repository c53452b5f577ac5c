"""Import a layer: the same bytes twice are one version, put in force again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import shapely

from services.geofence.layers import store
from services.geofence.layers.formats.read_features import LayerFile
from services.geofence.layers.kinds import Feature, Layer, Origin, digest_of
from shared.db.session import Tx
from shared.identifiers import new_id


async def import_layer(
    tx: Tx,
    data: bytes,
    features: Sequence[Feature],
    *,
    kind: str,
    code_field: str = "geoid",
    name_field: str = "name",
    valid_from: date | None = None,
    file: LayerFile | None = None,
) -> tuple[Layer, bool]:
    """Store features read from a file's bytes; return the layer and whether it is a new version.

    A version is in force from its date on, without a date from now on; of several the one that
    came into force last. So the same bytes without a date put an older one in force again.
    `file` says how the features were read.
    """
    origin = Origin(digest_of(data), code_field, name_field, valid_from=valid_from)
    if file:
        origin = replace(
            origin, layer=file.layer, format=file.format, crs=file.crs, warnings=file.warnings
        )
    await store.lock_kind(tx, kind)
    known = await store.activate(tx, kind=kind, origin=origin)
    layer_id = known or new_id()
    if known is None:
        await store.insert_layer(
            tx, layer_id=layer_id, kind=kind, origin=origin, features=len(features)
        )
        wkbs = shapely.to_wkb([feature.geometry for feature in features], byte_order=1)
        await store.insert_features(
            tx,
            layer_id,
            [(one.code, one.name, wkb) for one, wkb in zip(features, wkbs, strict=True)],
        )
    return await store.layer(tx, layer_id), known is None
