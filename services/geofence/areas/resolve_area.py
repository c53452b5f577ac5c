"""Answer the dispatcher before approval: the normalised area, who is concerned, all signed."""

import orjson

from services.geofence.areas.atlas import Sheets
from services.geofence.areas.compose import Composed
from services.geofence.areas.preview import preview
from services.geofence.index.view import View
from shared.security.signing import Signer

Answer = dict[str, object]


async def resolve_area(
    view: View, composed: Composed, sheets: Sheets, *, nonce: str, signer: Signer
) -> Answer:
    """Resolve an area and sign the answer: Ed25519 over its JSON with sorted keys, less signature.

    `nonce` is the asker's word: an answer to another question does not repeat it.

    Raises:
        OutsideArea: the index contradicts the area.
    """
    area = composed.area
    seen = await preview(view, area.geometry, sheets)
    answer: Answer = {
        "wkb": area.packed,
        "digest": area.digest,
        "area_km2": seen.area_km2,
        "vertices": seen.vertices,
        "layer_versions": [
            {"kind": layer.kind, "version": layer.version, "digest": layer.digest}
            for layer in composed.layers
        ],
        "jurisdictions": [
            {"kind": one.kind, "code": one.feature.code, "name": one.feature.name}
            for one in seen.entered
        ],
        "neighbours": [
            {
                "kind": one.kind,
                "code": one.feature.code,
                "name": one.feature.name,
                "distance_m": one.distance_m,
            }
            for one in seen.neighbours
        ],
        "estimate": {
            "people": seen.count.people,
            "by_channel": seen.count.by_channel,
            "residents": None if seen.residents is None else round(seen.residents),
        },
        "beside": [
            {"scheme": one.code.scheme, "value": one.code.value, "known": one.is_known}
            for one in composed.beside
        ],
        "nonce": nonce,
        "key_id": signer.key_id,
    }
    return answer | {"signature": signer.sign(orjson.dumps(answer, option=orjson.OPT_SORT_KEYS))}
