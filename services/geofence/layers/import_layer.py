"""Import a layer: the same bytes twice are one version, put in force again."""

import hashlib
from collections.abc import Sequence
from typing import TypedDict

import shapely

from services.geofence.layers import store
from services.geofence.layers.kinds import Feature, Layer
from shared.db.session import Tx
from shared.identifiers import new_id


class Source(TypedDict):
    """What makes two imports the same version."""

    kind: str
    digest: bytes
    code_field: str
    name_field: str


async def import_layer(
    tx: Tx,
    data: bytes,
    features: Sequence[Feature],
    *,
    kind: str,
    code_field: str = "geoid",
    name_field: str = "name",
) -> tuple[Layer, bool]:
    """Store features read from a file's bytes; return the layer and whether it is a new version."""
    source: Source = {
        "kind": kind,
        "digest": hashlib.sha256(data).digest(),
        "code_field": code_field,
        "name_field": name_field,
    }
    await store.lock_kind(tx, kind)
    known = await store.activate(tx, **source)
    if not known:
        await store.insert_layer(
            tx,
            layer_id=new_id(),
            features=[
                (feature.code, feature.name, shapely.to_wkb(feature.geometry, byte_order=1))
                for feature in features
            ],
            **source,
        )
    layer = await store.layer_by_digest(tx, **source)
    if layer is None:
        raise RuntimeError("the layer just written is not there")
    return layer, not known
