"""HTTP in: previews for managers, resolved areas for the dispatcher."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import Field

from services.geofence.areas.answers import Previewed, ResolvedArea, previewed, refused
from services.geofence.areas.atlas import Atlas
from services.geofence.areas.compose import compose
from services.geofence.areas.disclosure import sees_exact
from services.geofence.areas.outlines.outline import FEWEST
from services.geofence.areas.preview import preview
from services.geofence.areas.resolve_area import resolve_area
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.index.tail import NotLoaded, Roster
from services.geofence.index.view import View
from services.geofence.layers.geometry import GeometryRefused
from shared.db.session import Database
from shared.security.principal import Principal
from shared.security.signing import Signer
from shared.web.app import StrictModel
from shared.web.auth import require
from shared.web.errors import unavailable
from shared.web.limits import Limits

# Before anything is parsed (S31).
LARGEST_BODY = 512_000
PER_S = 60
# A town that no principal has: what is guarded by towns shows what all of them share.
NO_TOWN = "-"

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
    area: Any = Field(
        None,
        description="`{include: [shape, …], exclude: [shape, …]}`; a shape is a geojson, circle, "
        "points, feature, geocode or saved area",
    )


class PreviewRequest(AreaRequest):
    """The area that is meant, and whether an outline of so many coordinates is wanted."""

    outline: Annotated[int, Field(ge=FEWEST, le=5_000)] | None = None


class AreaQuestion(AreaRequest):
    """The area that is meant, and a word that the signed answer repeats.

    `town` is whose saved areas may be named: a geoid, or "*" for all; none but those shared by
    their owners where it is left out.
    """

    nonce: Annotated[str, Field(max_length=64)] = ""
    town: Annotated[str, Field(min_length=1, max_length=20)] = NO_TOWN


Asked = Annotated[PreviewRequest, Body(examples=[EXAMPLE | {"outline": 100}])]
Questioned = Annotated[AreaQuestion, Body(examples=[EXAMPLE | {"nonce": "6f1d0c", "town": "*"}])]


def make_router(
    *,
    database: Database,
    roster: Roster,
    signer: Signer,
    atlas: Atlas,
    workshop: Workshop,
    limits: Limits,
    previews_a_minute: int,
) -> APIRouter:
    """Make the routes of areas."""
    router = APIRouter(tags=["areas"])

    @router.post("/v1/areas/preview", max_body_size=LARGEST_BODY)
    async def post_preview(
        asked: Asked, who: Principal = require("manager", "viewer")
    ) -> Previewed:
        """Say whom an area holds and whom it concerns, before anything is sent."""
        view = _view(roster)
        key = f"preview:{who.kind}:{who.subject}"
        await limits.hit(None, key, limit=previews_a_minute, per_s=PER_S)
        try:
            async with database.transaction(town=who.town) as tx:
                composed = await compose(tx, asked.area, workshop=workshop)
                sheets = await atlas.sheets(tx)
        except GeometryRefused as error:
            raise refused(error) from None
        area = composed.area
        seen = await preview(view, area.geometry, sheets, outline_of=asked.outline)
        return previewed(seen, composed, exact=sees_exact(who))

    @router.post("/internal/v1/areas/resolve", max_body_size=LARGEST_BODY)
    async def post_resolve(asked: Questioned, who: Principal = require("service")) -> ResolvedArea:
        """Resolve an area before approval; the answer is signed."""
        view = _view(roster)
        try:
            async with database.transaction(town=asked.town) as tx:
                answer = await resolve_area(
                    tx,
                    view,
                    asked.area,
                    nonce=asked.nonce,
                    signer=signer,
                    atlas=atlas,
                    workshop=workshop,
                )
        except GeometryRefused as error:
            raise refused(error) from None
        return ResolvedArea.model_validate(answer)

    return router


def _view(roster: Roster) -> View:
    try:
        return roster.view()
    except NotLoaded:
        raise unavailable("index-loading", "The index is being built.", 2) from None
