"""HTTP in: ways to say an area other than drawing it."""

from fastapi import APIRouter

from services.geofence.areas.atlas import Atlas
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.selections.keeping.api import make_router as make_keeping_router
from services.geofence.selections.lists.api import make_router as make_lists_router
from shared.db.session import Database
from shared.web.idempotency import Idempotency
from shared.web.limits import Limits


def make_routers(
    *,
    database: Database,
    atlas: Atlas,
    workshop: Workshop,
    limits: Limits,
    idempotency: Idempotency,
) -> list[APIRouter]:
    """Make the routes of lists, streets, files and saved areas."""
    return [
        make_lists_router(database=database, workshop=workshop, limits=limits),
        make_keeping_router(
            database=database, atlas=atlas, workshop=workshop, idempotency=idempotency
        ),
    ]
