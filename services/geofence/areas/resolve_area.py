"""Answer the dispatcher before approval: the normalised area, who is concerned, all signed."""

import orjson
import shapely

from services.geofence.areas.compose import compose
from services.geofence.areas.jurisdictions import touched
from services.geofence.areas.preview import preview
from services.geofence.index.view import View
from services.geofence.layers.find_features import find_features
from shared.db.session import Tx
from shared.security.signing import Signer

Answer = dict[str, object]


async def resolve_area(
    tx: Tx, view: View, request: object, *, nonce: str, signer: Signer
) -> Answer:
    """Resolve an area and sign the answer: Ed25519 over its JSON with sorted keys, less signature.

    `nonce` is the asker's word: an answer to another question does not repeat it.

    Raises:
        GeometryRefused: the area cannot be used.
    """
    composed = await compose(tx, request)
    seen = await preview(view, composed)
    area = composed.area
    towns = await find_features(tx, "town")
    answer: Answer = {
        "wkb": area.packed,
        "digest": area.digest,
        "area_km2": seen.area_km2,
        "vertices": int(shapely.get_num_coordinates(area.geometry)),
        "layer_versions": [
            {"kind": layer.kind, "version": layer.version, "digest": layer.digest}
            for layer in composed.layers
        ],
        "jurisdictions": [
            {"kind": "town", "code": town.code, "name": town.name}
            for town in touched(towns[1] if towns else [], area.geometry)
        ],
        "estimate": {"people": seen.count.people, "by_channel": seen.count.by_channel},
        "nonce": nonce,
        "key_id": signer.key_id,
    }
    return answer | {"signature": signer.sign(orjson.dumps(answer, option=orjson.OPT_SORT_KEYS))}
