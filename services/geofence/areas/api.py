"""HTTP in: previews for managers, resolved areas for the dispatcher."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import Field

from services.geofence.areas.compose import compose
from services.geofence.areas.preview import preview
from services.geofence.areas.resolve_area import resolve_area
from services.geofence.index.tail import NotLoaded, Roster
from services.geofence.index.view import View
from services.geofence.layers.geometry import GeometryRefused
from shared.db.session import Database
from shared.security.principal import Principal
from shared.security.signing import Signer
from shared.web.app import StrictModel
from shared.web.auth import require
from shared.web.errors import Fault, Problem, unavailable

# Before anything is parsed (S31).
LARGEST_BODY = 512_000

EXAMPLE = {
    "area": {
        "include": [
            {"type": "circle", "lon": -72.6851, "lat": 41.7637, "radius_m": 1500},
            {"type": "feature", "kind": "town", "name": "Andover"},
        ]
    }
}


class AreaRequest(StrictModel):
    """The area that is meant."""

    # Read by our own grammar, which knows where in it a fault is.
    area: Any = Field(None, description="`{include: [geojson | circle | feature, …]}`")


class AreaQuestion(AreaRequest):
    """The area that is meant, and a word that the signed answer repeats."""

    nonce: Annotated[str, Field(max_length=64)] = ""


Asked = Annotated[AreaRequest, Body(examples=[EXAMPLE])]
Questioned = Annotated[AreaQuestion, Body(examples=[EXAMPLE | {"nonce": "6f1d0c"}])]


class LayerUsed(StrictModel):
    """A layer version that named features came from."""

    kind: str
    version: int
    digest: str


class Previewed(StrictModel):
    """Whom an area holds; bounds are west, south, east, north in degrees."""

    people: int
    places: int
    by_uncertainty: int
    by_channel: dict[str, int]
    area_km2: float
    digest: str
    layer_versions: list[LayerUsed]
    bounds: tuple[float, float, float, float]


class Touched(StrictModel):
    """A jurisdiction that an area enters."""

    kind: str
    code: str
    name: str


class Estimate(StrictModel):
    """How many people an area holds."""

    people: int
    by_channel: dict[str, int]


class ResolvedArea(StrictModel):
    """A normalised area (base64 of zlib WKB) and who is concerned, signed by the geofence."""

    wkb: str
    digest: str
    area_km2: float
    vertices: int
    layer_versions: list[LayerUsed]
    jurisdictions: list[Touched]
    estimate: Estimate
    nonce: str
    key_id: str
    signature: str


def make_router(*, database: Database, roster: Roster, signer: Signer) -> APIRouter:
    """Make the routes of areas."""
    router = APIRouter(tags=["areas"])

    @router.post("/v1/areas/preview", max_body_size=LARGEST_BODY)
    async def post_preview(
        asked: Asked, who: Principal = require("manager", "viewer")
    ) -> Previewed:
        """Count people and places in an area before anything is sent."""
        view = _view(roster)
        try:
            async with database.transaction() as tx:
                composed = await compose(tx, asked.area)
        except GeometryRefused as error:
            raise refused(error) from None
        seen = await preview(view, composed)
        return Previewed(
            people=seen.count.people,
            places=seen.count.places,
            by_uncertainty=seen.count.by_uncertainty,
            by_channel=seen.count.by_channel,
            area_km2=seen.area_km2,
            digest=composed.area.digest,
            layer_versions=[
                LayerUsed(kind=layer.kind, version=layer.version, digest=layer.digest)
                for layer in composed.layers
            ],
            bounds=composed.area.geometry.bounds,
        )

    @router.post("/internal/v1/areas/resolve", max_body_size=LARGEST_BODY)
    async def post_resolve(asked: Questioned, who: Principal = require("service")) -> ResolvedArea:
        """Resolve an area before approval; the answer is signed."""
        view = _view(roster)
        try:
            async with database.transaction() as tx:
                answer = await resolve_area(tx, view, asked.area, nonce=asked.nonce, signer=signer)
        except GeometryRefused as error:
            raise refused(error) from None
        return ResolvedArea.model_validate(answer)

    return router


def refused(error: GeometryRefused) -> Problem:
    """Make a problem of a refused geometry."""
    fault = Fault(f"/area{error.pointer}", error.code, error.detail)
    return Problem(error.status, error.code, error.detail, errors=[fault])


def _view(roster: Roster) -> View:
    try:
        return roster.view()
    except NotLoaded:
        raise unavailable("index-loading", "The index is being built.", 2) from None
