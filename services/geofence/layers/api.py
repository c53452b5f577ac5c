"""HTTP in: import layers, list them, read features, say where a point lies."""

import asyncio
from typing import Annotated, Any

import numpy as np
import shapely
from fastapi import APIRouter, Query, Request, Response

from services.geofence.layers.find_features import find_features
from services.geofence.layers.import_layer import import_layer
from services.geofence.layers.kinds import Feature, Kind, Layer
from services.geofence.layers.list_layers import list_layers
from services.geofence.layers.locate import locate
from services.geofence.layers.read_geojson import UNREADABLE, LayerInvalid, read_geojson
from shared.db.session import ALL_TOWNS, Database
from shared.security.principal import Principal
from shared.web.app import StrictModel
from shared.web.auth import require
from shared.web.errors import Fault, Problem, forbidden, not_found, unsupported_media

LARGEST_LAYER = 64_000_000
MEDIA = ("application/geo+json", "application/json")

Field = Annotated[str, Query(min_length=1, max_length=64)]
Words = Annotated[str | None, Query(min_length=1, max_length=200)]


class LayerInfo(StrictModel):
    """A version of a layer; `current` is the one in force."""

    kind: str
    version: int
    digest: str
    features: int
    imported_at: str
    activated_at: str
    current: bool


class Located(StrictModel):
    """The feature a point lies in; nulls where it lies in none."""

    code: str | None
    name: str | None


def make_router(*, database: Database) -> APIRouter:
    """Make the routes of layers."""
    router = APIRouter(prefix="/v1/layers", tags=["layers"])

    @router.get("")
    async def get_layers(
        who: Principal = require("manager", "viewer", "admin", "service"),
    ) -> list[LayerInfo]:
        """List every version of every layer, newest first."""
        async with database.transaction() as tx:
            return [_info(layer) for layer in await list_layers(tx)]

    @router.post("/{kind}", max_body_size=LARGEST_LAYER, openapi_extra=_GEOJSON_BODY)
    async def post_layer(
        kind: Kind,
        request: Request,
        response: Response,
        code: Field = "geoid",
        name: Field = "name",
        who: Principal = require("admin"),
    ) -> LayerInfo:
        """Import a GeoJSON FeatureCollection; 201 for a new version, 200 for the same bytes."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in MEDIA:
            raise unsupported_media(MEDIA[0])
        # A layer is the whole state's: by it every town's jurisdiction is judged.
        if who.town != ALL_TOWNS:
            raise forbidden("whole-state-only", "Layers are imported for the whole state.")
        data = await request.body()
        try:
            features = await asyncio.to_thread(read_geojson, data, code_field=code, name_field=name)
        except LayerInvalid as error:
            raise _invalid(error) from None
        async with database.transaction() as tx:
            layer, new = await import_layer(
                tx, data, features, kind=kind, code_field=code, name_field=name
            )
        response.status_code = 201 if new else 200
        return _info(layer)

    @router.get("/{kind}/features")
    async def get_features(
        kind: Kind,
        code: Words = None,
        name: Words = None,
        who: Principal = require("manager", "viewer", "admin", "partner", "service"),
    ) -> dict[str, Any]:
        """Return features of the layer in force as GeoJSON: all, or by code or name."""
        async with database.transaction() as tx:
            found = await find_features(
                tx,
                kind,
                codes=None if code is None else [code],
                names=None if name is None else [" ".join(name.split())],
            )
        return {
            "type": "FeatureCollection",
            "layer_version": found[0].version if found else None,
            "features": [_geojson(feature) for feature in found[1]] if found else [],
        }

    @router.get("/{kind}/locate")
    async def get_locate(
        kind: Kind,
        lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False)],
        lat: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False)],
        who: Principal = require("manager", "viewer", "admin", "partner", "service"),
    ) -> Located:
        """Say in which feature a point lies; on an edge is inside."""
        async with database.transaction() as tx:
            found = await find_features(tx, kind)
        if found is None:
            raise not_found("No layer of this kind is imported.")
        (feature,) = locate(found[1], np.array([lon]), np.array([lat]))
        return Located(
            code=feature.code if feature else None, name=feature.name if feature else None
        )

    return router


_GEOJSON_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MEDIA[0]: {
                "schema": {"type": "object", "required": ["type", "features"]},
                "example": {
                    "type": "FeatureCollection",
                    "features": [
                        {
                            "type": "Feature",
                            "properties": {"geoid": "0901301080", "name": "Andover"},
                            "geometry": {
                                "type": "Polygon",
                                "coordinates": [
                                    [[-72.4, 41.7], [-72.3, 41.7], [-72.3, 41.8], [-72.4, 41.7]]
                                ],
                            },
                        }
                    ],
                },
            }
        },
    }
}


def _info(layer: Layer) -> LayerInfo:
    return LayerInfo(
        kind=layer.kind,
        version=layer.version,
        digest=layer.digest,
        features=layer.features,
        imported_at=layer.imported_at,
        activated_at=layer.activated_at,
        current=layer.current,
    )


def _geojson(feature: Feature) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": feature.code, "name": feature.name},
        "geometry": shapely.geometry.mapping(feature.geometry),
    }


def _invalid(error: LayerInvalid) -> Problem:
    first = error.faults[0]
    if first.code in UNREADABLE:
        fault = Fault(first.pointer, first.code, first.detail)
        return Problem(400, first.code, first.detail, errors=[fault])
    faults = [Fault(fault.pointer, fault.code, fault.detail) for fault in error.faults]
    return Problem(422, "layer-invalid", f"{len(faults)} faults.", errors=faults)
