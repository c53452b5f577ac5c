"""HTTP in: saved areas."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from services.geofence.areas.answers import refused
from services.geofence.areas.atlas import Atlas
from services.geofence.areas.workshop.lane import Lane
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.layers.geometry import GeometryRefused
from services.geofence.saved.archive_saved import archive_saved
from services.geofence.saved.find_saved import find_saved
from services.geofence.saved.list_saved import list_saved
from services.geofence.saved.revise_saved import revise_saved
from services.geofence.saved.save_area import save_area
from services.geofence.saved.saved_area import SavedArea, Wish
from services.geofence.selections.keeping.answers import (
    SavedAreaBody,
    SavedAreaId,
    SavedAreaPage,
    SavedAreaSummary,
    SavedAreaView,
)
from services.geofence.selections.keeping.make_outcome import make_outcome
from shared.db.session import Database, Tx
from shared.security.principal import Principal
from shared.web.auth import require
from shared.web.errors import bad_request, not_found, precondition_required
from shared.web.idempotency import Digest, Idempotency, Key
from shared.web.models import After

LARGEST_BODY = 512_000
# An area is made inside its transaction, so that a key asked again meets the first request.
SAVED_AT_ONCE = 2

_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"')

IfMatch = Annotated[str, Header(examples=['"2"'])]
Version = Annotated[int, Path(ge=1, lt=2**31, examples=[2])]
Limit = Annotated[int, Query(ge=1, le=1_000, examples=[100])]


def make_router(
    *, database: Database, atlas: Atlas, workshop: Workshop, idempotency: Idempotency
) -> APIRouter:
    """Make the routes of saved areas."""
    router = APIRouter(prefix="/v1/saved-areas", tags=["saved areas"])
    saving = _Saving(database)

    async def wish(tx: Tx, body: SavedAreaBody, *, town: str, who: Principal) -> Wish:
        outcome = await make_outcome(tx, body.area, town=town, atlas=atlas, workshop=workshop)
        return Wish(body.name, body.shared, outcome, f"{who.kind}:{who.subject}")

    @router.post(
        "",
        status_code=201,
        max_body_size=LARGEST_BODY,
        response_model=SavedAreaView,
    )
    async def post_saved_area(
        body: SavedAreaBody, key: Key, digest: Digest, who: Principal = require("manager")
    ) -> Response:
        """Save an area under a name of your jurisdiction's; it must lie inside it."""
        # First of all: what was answered once has no need to wait for a place in the lane.
        async with database.transaction(town=who.town) as tx:
            first = await idempotency.answered(tx, principal=who, key=key, digest=digest)
        if first is not None:
            return first.response()
        async with saving.transaction(town=who.town) as tx:
            first = await idempotency.remember(tx, principal=who, key=key, digest=digest)
            if first is not None:
                return first.response()
            saved = await save_area(tx, await wish(tx, body, town=who.town, who=who), town=who.town)
            made = SavedAreaView.of(saved).model_dump_json().encode()
            await idempotency.settle(tx, principal=who, key=key, status=201, body=made)
        return _written(made, saved, status=201)

    @router.get("")
    async def get_saved_areas(
        limit: Limit = 100,
        after: After = None,
        who: Principal = require("manager", "viewer"),
    ) -> SavedAreaPage:
        """List the saved areas of your jurisdiction and those that others share."""
        async with database.transaction(town=who.town) as tx:
            listed = await list_saved(tx, after=after, limit=limit)
        return SavedAreaPage(
            saved_areas=[SavedAreaSummary.of(one) for one in listed],
            after=listed[-1].saved_area_id if len(listed) == limit else None,
        )

    @router.get("/{saved_area_id}")
    async def get_saved_area(
        saved_area_id: SavedAreaId,
        response: Response,
        who: Principal = require("manager", "viewer"),
    ) -> SavedAreaView:
        """Show the newest version of a saved area, its geometry too; its number is the ETag."""
        async with database.transaction(town=who.town) as tx:
            saved = await find_saved(tx, saved_area_id, archived=True)
        response.headers["ETag"] = _etag(_there(saved))
        return SavedAreaView.of(_there(saved))

    @router.get("/{saved_area_id}/versions/{version}")
    async def get_version(
        saved_area_id: SavedAreaId, version: Version, who: Principal = require("manager", "viewer")
    ) -> SavedAreaView:
        """Show a version of a saved area as it was written."""
        async with database.transaction(town=who.town) as tx:
            saved = await find_saved(tx, saved_area_id, version=version, archived=True)
        return SavedAreaView.of(_there(saved))

    @router.put(
        "/{saved_area_id}",
        max_body_size=LARGEST_BODY,
        response_model=SavedAreaView,
    )
    async def put_saved_area(
        saved_area_id: SavedAreaId,
        body: SavedAreaBody,
        if_match: IfMatch = "",
        who: Principal = require("manager"),
    ) -> Response:
        """Give a saved area a new version; alerts made with an earlier one stay as they are."""
        expected = _expected(if_match)
        async with saving.transaction(town=who.town) as tx:
            before = _there(await find_saved(tx, saved_area_id))
            saved = await revise_saved(
                tx,
                saved_area_id,
                await wish(tx, body, town=before.town, who=who),
                expected=expected,
            )
            made = SavedAreaView.of(saved).model_dump_json().encode()
        return _written(made, saved, status=200)

    @router.delete("/{saved_area_id}", status_code=204)
    async def delete_saved_area(
        saved_area_id: SavedAreaId, who: Principal = require("manager")
    ) -> None:
        """Archive a saved area: it is listed and used no more, and its versions can be read."""
        async with database.transaction(town=who.town) as tx:
            await archive_saved(tx, saved_area_id)

    return router


class _Saving:
    """Opens transactions that may last as long as the workshop takes, few at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lane = Lane(SAVED_AT_ONCE)

    @asynccontextmanager
    async def transaction(self, *, town: str) -> AsyncIterator[Tx]:
        """Open one when others have ended.

        Raises:
            Problem: the area is refused, or there is too much to do.
        """
        try:
            async with self._lane.turn(), self._database.transaction(town=town) as tx:
                yield tx
        except GeometryRefused as error:
            raise refused(error) from None


def _there(saved: SavedArea | None) -> SavedArea:
    if saved is None:
        raise not_found()
    return saved


def _etag(saved: SavedArea) -> str:
    return f'"{saved.newest}"'


def _written(made: bytes, saved: SavedArea, *, status: int) -> Response:
    headers = {"ETag": _etag(saved)}
    return Response(made, status_code=status, media_type="application/json", headers=headers)


def _expected(if_match: str) -> int | None:
    given = if_match.strip()
    if not given:
        raise precondition_required("if-match-required", "Send the ETag of the saved area.")
    if given == "*":
        return None
    match = _ETAG.fullmatch(given)
    if match is None:
        raise bad_request("if-match-invalid", "If-Match must hold the ETag of the saved area.")
    return int(match[1])
