"""Make what a saved area keeps of a request: its geometry, and what it was made with."""

import asyncio
from collections.abc import Mapping
from typing import Any

import shapely

from services.geofence.areas.atlas import TOWN, Atlas, Sheet
from services.geofence.areas.compose import compose
from services.geofence.areas.find_parts import find_parts
from services.geofence.areas.jurisdictions import lies_in
from services.geofence.areas.measure import area_km2
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.layers.kinds import Feature
from services.geofence.saved.saved_area import LayerRef, Outcome
from shared.connecticut import town_by_geoid
from shared.db.session import ALL_TOWNS, Tx
from shared.web.errors import forbidden, unprocessable


async def make_outcome(
    tx: Tx,
    request: Mapping[str, Any] | None,
    *,
    town: str,
    atlas: Atlas,
    workshop: Workshop | None,
) -> Outcome:
    """Compose an area and hold it against its owner's jurisdiction, give or take a metre.

    Raises:
        GeometryRefused: the area cannot be used.
        Problem: 403 outside the town it is to belong to, 422 where nobody knows its boundary.
    """
    composed = await compose(await find_parts(tx, request), workshop=workshop)
    area = composed.area
    if town != ALL_TOWNS:
        own = _boundary(await atlas.sheet(tx, TOWN), town)
        if own is None:
            detail = "Your town's boundary has not been imported, so no area of it can be judged."
            raise unprocessable("town-boundary-missing", detail, pointer="/area")
        if not await asyncio.to_thread(lies_in, area.geometry, own.geometry):
            raise forbidden("outside-jurisdiction", "The area leaves your jurisdiction.")
    return Outcome(
        request=request or {},
        wkb=area.wkb,
        digest=area.digest,
        layers=tuple(LayerRef(one.kind, one.version, one.digest) for one in composed.layers),
        area_km2=round(area_km2(area.geometry), 3),
        vertices=int(shapely.get_num_coordinates(area.geometry)),
    )


def _boundary(towns: Sheet | None, geoid: str) -> Feature | None:
    """Return a town of the layer in force, which may know it by either of its codes."""
    if towns is None:
        return None
    known = town_by_geoid(geoid)
    codes = (geoid, known.geoid, known.geoid_2022) if known else (geoid,)
    return next((found for code in codes if (found := towns.of(code))), None)
