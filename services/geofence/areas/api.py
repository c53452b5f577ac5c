"""HTTP in: previews for managers, resolved areas for the dispatcher."""

import os
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import Field

from services.geofence.areas.answers import Previewed, ResolvedArea, previewed, refused
from services.geofence.areas.atlas import Atlas, Sheets
from services.geofence.areas.compose import compose
from services.geofence.areas.disclosure import sees_exact
from services.geofence.areas.find_parts import Parts, find_parts
from services.geofence.areas.outlines.outline import FEWEST
from services.geofence.areas.preview import preview
from services.geofence.areas.resolve_area import resolve_area
from services.geofence.areas.workshop.lane import Lane
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.index.tail import NotLoaded, Roster
from services.geofence.index.view import OutsideArea, View
from services.geofence.layers.geometry import GeometryRefused
from shared.db.session import Database
from shared.security.principal import Principal
from shared.security.signing import Signer
from shared.watch.logs import get_logger
from shared.watch.metrics import pages
from shared.web.app import StrictModel
from shared.web.auth import require
from shared.web.errors import Problem, unavailable
from shared.web.limits import Limits

log = get_logger(__name__)

# Before anything is parsed (S31).
LARGEST_BODY = 512_000
PER_S = 60
# What one preview counts, measures and draws in at a time.
THREADS_EACH = 3
# An index that is wrong gets right again by itself only where it is built anew.
WRONG_S = 30
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
        description="`{include: [shape, …], exclude: [shape, …], beside: [geocode, …]}`; a shape "
        "is a geojson, circle, points, feature, geocode or saved area; what is beside adds nothing",
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
    """Make the routes of areas.

    Neither holds a transaction while an area is made and counted, which may take seconds. Of
    previews only so many read and count at a time: an approval finds a connection and a thread.
    """
    router = APIRouter(tags=["areas"])
    previews = Lane(_previews_at_once())

    async def find(request: object, *, town: str) -> tuple[Parts, Sheets]:
        async with database.transaction(town=town) as tx:
            return await find_parts(tx, request), await atlas.sheets(tx)

    @router.post("/v1/areas/preview", max_body_size=LARGEST_BODY)
    async def post_preview(
        asked: Asked, who: Principal = require("manager", "viewer")
    ) -> Previewed:
        """Say whom an area holds and whom it concerns, before anything is sent."""
        _view(roster)
        key = f"preview:{who.kind}:{who.subject}"
        await limits.hit(None, key, limit=previews_a_minute, per_s=PER_S)
        try:
            async with previews.turn():
                parts, sheets = await find(asked.area, town=who.town)
            composed = await compose(parts, workshop=workshop)
            area = composed.area.geometry
            async with previews.turn():
                seen = await preview(_view(roster), area, sheets, outline_of=asked.outline)
        except GeometryRefused as error:
            raise refused(error) from None
        except OutsideArea as error:
            raise _contradicted(error) from None
        exact = sees_exact(who, towns=[one.town.code for one in seen.towns])
        return previewed(seen, composed, exact=exact)

    @router.post("/internal/v1/areas/resolve", max_body_size=LARGEST_BODY)
    async def post_resolve(asked: Questioned, who: Principal = require("service")) -> ResolvedArea:
        """Resolve an area before approval; the answer is signed."""
        _view(roster)
        try:
            parts, sheets = await find(asked.area, town=asked.town)
            composed = await compose(parts, workshop=workshop, for_approval=True)
            answer = await resolve_area(
                _view(roster), composed, sheets, nonce=asked.nonce, signer=signer
            )
        except GeometryRefused as error:
            raise refused(error) from None
        except OutsideArea as error:
            raise _contradicted(error) from None
        return ResolvedArea.model_validate(answer)

    return router


def _view(roster: Roster) -> View:
    """Return the index, or refuse while there is none."""
    try:
        return roster.view()
    except NotLoaded:
        raise unavailable("index-loading", "The index is being built.", 2) from None


def _contradicted(error: OutsideArea) -> Problem:
    """Call a person to an index that names somebody outside the area: no alert can be approved."""
    log.critical("areas.index_contradicts", detail=str(error))
    pages.labels("geofence", "index-contradicts").inc()
    return unavailable("index-contradicts", "The index contradicts the area.", WRONG_S)


def _previews_at_once() -> int:
    """Return how many previews may count side by side and leave a thread to others."""
    # As many as asyncio.to_thread has.
    threads = min(32, (os.cpu_count() or 1) + 4)
    return max(1, (threads - 1) // THREADS_EACH)
