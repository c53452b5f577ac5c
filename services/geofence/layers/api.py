"""HTTP in: import layers, list them, read features, say where a point lies."""

from datetime import date
from functools import partial
from typing import Annotated, Any

import numpy as np
import shapely
from fastapi import APIRouter, Path, Query, Request, Response

from services.geofence.layers.addresses.read_addresses import read_addresses
from services.geofence.layers.find_features import find_features
from services.geofence.layers.formats.addresses.fields import Asked
from services.geofence.layers.formats.media import BOUNDARIES, MEDIA, POINTS, Format, format_of
from services.geofence.layers.formats.read_features import read_features
from services.geofence.layers.intake import Intake, Named
from services.geofence.layers.kinds import ADDRESS_POINT, AnyKind, Feature, Kind, Layer
from services.geofence.layers.list_layers import list_layers
from services.geofence.layers.locate import locate
from shared.db.session import ALL_TOWNS, Database
from shared.security.principal import Principal
from shared.web.auth import require
from shared.web.errors import forbidden, not_found, unsupported_media
from shared.web.models import StrictModel, example

LARGEST_LAYER = 64_000_000

_PLAIN = r"^[^\x00-\x1f\x7f]+$"
Version = Annotated[int | None, Query(ge=1, le=1_000_000, examples=[3])]
Day = Annotated[
    date | None, Query(ge=date(1900, 1, 1), le=date(2200, 1, 1), examples=["2026-01-05"])
]
OfAny = Annotated[AnyKind, Path(examples=["town"])]
OfAreas = Annotated[Kind, Path(examples=["town"])]
Words = str | None
_LAYER: dict[str, Any] = {
    "kind": "town", "version": 3, "digest": "a3" * 32, "features": 169,
    "imported_at": "2026-01-05T14:00:00Z", "activated_at": "2026-01-05T14:00:00Z",
    "valid_from": "2026-01-05", "current": True, "source_format": "geojson",
    "source_crs": "OGC:CRS84", "source_layer": "", "warnings": [],
}  # fmt: skip


def _words(shown: str, *, most: int) -> Any:
    return Query(min_length=1, max_length=most, pattern=_PLAIN, examples=[shown])


def _answer(shown: Any) -> dict[int | str, dict[str, Any]]:
    """Document an answer that is no model of ours."""
    return {200: {"content": {"application/json": {"example": shown}}}}


class Warned(StrictModel):
    """What an importer should know of a layer that was taken in; features by their codes."""

    code: str
    detail: str
    features: list[str]


class LayerInfo(StrictModel):
    """A version of a layer, what it was read from, and from when; `current` is in force."""

    model_config = example(**_LAYER)

    kind: str
    version: int
    digest: str
    features: int
    imported_at: str
    activated_at: str
    valid_from: str
    current: bool
    source_format: str
    source_crs: str
    source_layer: str
    warnings: list[Warned]


class Located(StrictModel):
    """The feature a point lies in; nulls where it lies in none."""

    model_config = example(code="0901301080", name="Andover")

    code: str | None
    name: str | None


def make_router(*, database: Database) -> APIRouter:
    """Make the routes of layers."""
    router = APIRouter(prefix="/v1/layers", tags=["layers"])
    intake = Intake(database)

    @router.get("", responses=_answer([_LAYER]))
    async def get_layers(
        who: Principal = require("manager", "viewer", "admin", "service"),
    ) -> list[LayerInfo]:
        """List every version of every layer, newest first."""
        async with database.transaction() as tx:
            return [_info(layer) for layer in await list_layers(tx)]

    @router.get("/{kind}", responses=_answer([_LAYER]))
    async def get_versions(
        kind: OfAny,
        version: Version = None,
        who: Principal = require("manager", "viewer", "admin", "service"),
    ) -> list[LayerInfo]:
        """List the versions of one kind of layer, newest first, or one of them."""
        async with database.transaction() as tx:
            found = await list_layers(tx, kind=kind, version=version)
        if version is not None and not found:
            raise not_found("The layer has no such version.")
        return [_info(layer) for layer in found]

    @router.post("/{kind}", max_body_size=LARGEST_LAYER, openapi_extra=_FILE)
    async def post_layer(
        kind: OfAny,
        request: Request,
        response: Response,
        code: Annotated[str, _words("geoid", most=64)] = "geoid",
        name: Annotated[str, _words("name", most=64)] = "name",
        valid_from: Day = None,
        layer: Annotated[Words, _words("towns", most=200)] = None,
        number: Annotated[Words, _words("add_number", most=100)] = None,
        street: Annotated[Words, _words("st_name", most=100)] = None,
        town: Annotated[Words, _words("post_comm", most=100)] = None,
        unit: Annotated[Words, _words("unit", most=100)] = None,
        postal: Annotated[Words, _words("post_code", most=100)] = None,
        who: Principal = require("admin"),
    ) -> LayerInfo:
        """Import a file of any format; 201 for a new version, 200 for the same bytes.

        The format is the Content-Type's: GeoJSON, a ZIP archive with a shapefile, GeoPackage, KML
        or KMZ, in any reference system that the file names. `code` and `name` are the properties
        that hold them, `layer` names the inner layer of a file that has several. Of addresses
        (also CSV) the properties may be named, several with commas between.
        """
        format = _format(request, POINTS if kind == ADDRESS_POINT else BOUNDARIES)
        _for_the_whole_state(who)
        data = await request.body()
        if kind == ADDRESS_POINT:
            asked = Asked(number=number, street=street, town=town, unit=unit, postal=postal)
            reading = read_addresses(data, format, fields=asked, layer=layer)
            made, new = await intake.take_addresses(
                data, reading, fields=asked, valid_from=valid_from
            )
        else:
            read = partial(read_features, data, format, kind=kind, layer=layer)
            fields = Named(code_field=code, name_field=name)
            made, new = await intake.take_boundaries(
                data, read, kind=kind, fields=fields, valid_from=valid_from
            )
        response.status_code = 201 if new else 200
        return _info(made)

    @router.get("/{kind}/features", responses=_answer(_FEATURES))
    async def get_features(
        kind: OfAreas,
        code: Annotated[Words, _words("0901301080", most=200)] = None,
        name: Annotated[Words, _words("Andover", most=200)] = None,
        version: Version = None,
        who: Principal = require("manager", "viewer", "admin", "partner", "service"),
    ) -> dict[str, Any]:
        """Return features of the layer in force, or of a version, as GeoJSON; all or by name."""
        async with database.transaction() as tx:
            found = await find_features(
                tx,
                kind,
                codes=_one(code),
                names=_one(name),
                version=version,
            )
        if found is None and version is not None:
            raise not_found("The layer has no such version.")
        return {
            "type": "FeatureCollection",
            "layer_version": found[0].version if found else None,
            "features": [_geojson(feature) for feature in found[1]] if found else [],
        }

    @router.get("/{kind}/locate")
    async def get_locate(
        kind: OfAreas,
        lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, examples=[-72.3761])],
        lat: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, examples=[41.7331])],
        version: Version = None,
        who: Principal = require("manager", "viewer", "admin", "partner", "service"),
    ) -> Located:
        """Say in which feature a point lies; on an edge is inside."""
        async with database.transaction() as tx:
            found = await find_features(tx, kind, version=version)
        if found is None:
            raise not_found("No such layer is imported.")
        (feature,) = locate(found[1], np.array([lon]), np.array([lat]))
        return Located(
            code=feature.code if feature else None, name=feature.name if feature else None
        )

    return router


_ANDOVER: dict[str, Any] = {
    "type": "Polygon",
    "coordinates": [[[-72.4, 41.7], [-72.3, 41.7], [-72.3, 41.8], [-72.4, 41.7]]],
}
_FEATURES = {
    "type": "FeatureCollection",
    "layer_version": 3,
    "features": [
        {
            "type": "Feature",
            "properties": {"code": "0901301080", "name": "Andover"},
            "geometry": _ANDOVER,
        }
    ],
}
# One example that can be posted as it stands; the other formats are no text.
_FILE = {
    "requestBody": {
        "required": True,
        "description": "A file; its format is the Content-Type's: " + ", ".join(MEDIA) + ".",
        "content": {
            "application/geo+json": {
                "schema": {"type": "object", "required": ["type", "features"]},
                "example": {
                    "type": "FeatureCollection",
                    "features": [
                        {
                            "type": "Feature",
                            "properties": {"geoid": "0901301080", "name": "Andover"},
                            "geometry": _ANDOVER,
                        }
                    ],
                },
            }
        },
    }
}


def _for_the_whole_state(who: Principal) -> None:
    # By a layer every town's jurisdiction is judged.
    if who.town != ALL_TOWNS:
        raise forbidden("whole-state-only", "Layers are imported for the whole state.")


def _one(words: str | None) -> list[str] | None:
    return None if words is None else [" ".join(words.split())]


def _format(request: Request, formats: frozenset[Format]) -> Format:
    format = format_of(request.headers.get("content-type", ""))
    if format is None or format not in formats:
        accepted = [media for media, known in MEDIA.items() if known in formats]
        raise unsupported_media(", ".join(accepted))
    return format


def _info(layer: Layer) -> LayerInfo:
    return LayerInfo(
        kind=layer.kind,
        version=layer.version,
        digest=layer.digest,
        features=layer.features,
        imported_at=layer.imported_at,
        activated_at=layer.activated_at,
        valid_from=layer.valid_from,
        current=layer.current,
        source_format=layer.source_format,
        source_crs=layer.source_crs,
        source_layer=layer.source_layer,
        warnings=[
            Warned(code=one.code, detail=one.detail, features=list(one.features))
            for one in layer.warnings
        ],
    )


def _geojson(feature: Feature) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": feature.code, "name": feature.name},
        "geometry": shapely.geometry.mapping(feature.geometry),
    }
