"""HTTP in: which 9-1-1 centre a point or town has, at any time, and what is kept of centres."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from services.geofence.psaps import answers, store
from services.geofence.psaps.bodies import (
    At,
    InCode,
    NewConsolidation,
    NewPsap,
    NewRecord,
    NewTowns,
    check_moment,
    read_entry,
)
from services.geofence.psaps.boundaries import Drawings
from services.geofence.psaps.consolidate import consolidate
from services.geofence.psaps.coverage.api import make_router as make_coverage_router
from services.geofence.psaps.find_psaps import Spot, find_psaps
from services.geofence.psaps.keep_record import keep_record
from services.geofence.psaps.ring_through.api import make_router as make_tests_router
from services.geofence.psaps.serve_towns import serve_towns
from shared.clock import Clock
from shared.connecticut import Town, is_swapped, town_by_geoid, town_by_name
from shared.db.session import Database
from shared.security.principal import Principal
from shared.web.auth import require
from shared.web.errors import not_found, unprocessable
from shared.web.models import NULL, swap

_FOUND_OR_LISTED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {
                "examples": {
                    "found": {"value": swap(answers.FOUND, None, NULL)},
                    "listed": {"value": swap(answers.PAGE, None, NULL)},
                }
            }
        }
    }
}


def _degrees(example: float) -> Any:
    return Query(ge=-180, le=180, allow_inf_nan=False, examples=[example])


def make_routers(*, database: Database, clock: Clock, ring_through_days: int) -> list[APIRouter]:
    """Make the routes of the directory, of its tests and of coverage, on one set of boundaries.

    A ring-through test counts for so many days.
    """
    drawings = Drawings()
    return [
        make_tests_router(
            database=database, clock=clock, drawings=drawings, within_days=ring_through_days
        ),
        _make_router(database=database, clock=clock, drawings=drawings),
        make_coverage_router(database=database, clock=clock, drawings=drawings),
    ]


def _make_router(*, database: Database, clock: Clock, drawings: Drawings) -> APIRouter:
    router = APIRouter(prefix="/v1/psaps", tags=["psaps"])

    @router.get("", response_model_exclude_unset=True, responses=_FOUND_OR_LISTED)
    async def get_psaps(
        lon: Annotated[float | None, _degrees(-72.3761)] = None,
        lat: Annotated[float | None, _degrees(41.7331)] = None,
        town: Annotated[str | None, Query(min_length=1, max_length=100, examples=["Kent"])] = None,
        at: At = None,
        after: Annotated[str, Query(max_length=64, examples=["1167"])] = "",
        limit: Annotated[int, Query(ge=1, le=200, examples=[50])] = 50,
        who: Principal = require("manager", "viewer", "admin", "partner"),
    ) -> answers.PsapsFound | answers.PsapPage:
        """Say which centre a point (`lon`, `lat`) or a `town` has or had; without either, list."""
        where = _where(lon, lat, town)
        at = at or clock.now()
        async with database.transaction() as tx:
            if where is None:
                page = await store.periods_at(tx, at, after=after, limit=limit)
                towns = await store.towns_by_code(tx, at, codes=[one.code for one in page])
                return answers.PsapPage(
                    at=answers.stamp(at),
                    psaps=[answers.see_psap(one, towns.get(one.code, ()), who=who) for one in page],
                    after=page[-1].code if len(page) == limit else None,
                )
            found = await find_psaps(tx, where, at=at, drawings=drawings)
            codes = [one.code for one in found.candidates]
            served = await store.towns_by_code(tx, at, codes=codes)
        return answers.see_found(found, served, who=who)

    @router.post("", status_code=201, response_model_exclude_unset=True)
    async def post_psap(body: NewPsap, who: Principal = require("admin")) -> answers.PsapSeen:
        """Add a centre to the directory, with the towns it serves from a moment on."""
        check_moment(body.valid_from, now=clock.now())
        entry = read_entry(body)
        async with database.transaction(town=who.town) as tx:
            kept, _ = await keep_record(
                tx, code=body.code, valid_from=body.valid_from, entry=entry, who=who, new=True
            )
            served = await serve_towns(
                tx, code=body.code, towns=body.towns, valid_from=body.valid_from, who=who
            )
        return answers.see_psap(kept, served, who=who)

    @router.post("/{code}/records", status_code=201, response_model_exclude_unset=True)
    async def post_record(
        code: InCode, body: NewRecord, response: Response, who: Principal = require("admin")
    ) -> answers.RecordSeen:
        """Say what holds for a centre from a moment on; 200 where just that was said before."""
        check_moment(body.valid_from, now=clock.now())
        entry = read_entry(body)
        async with database.transaction(town=who.town) as tx:
            kept, new = await keep_record(
                tx, code=code, valid_from=body.valid_from, entry=entry, who=who, new=False
            )
        response.status_code = 201 if new else 200
        return answers.see_record(kept)

    @router.post("/{code}/towns")
    async def post_towns(
        code: InCode, body: NewTowns, who: Principal = require("admin")
    ) -> answers.TownsServed:
        """Give towns to a centre from a moment on; each leaves the one it had till then."""
        check_moment(body.valid_from, now=clock.now())
        async with database.transaction(town=who.town) as tx:
            served = await serve_towns(
                tx, code=code, towns=body.towns, valid_from=body.valid_from, who=who
            )
        return answers.TownsServed(towns=answers.see_served(served))

    @router.post("/{code}/consolidation")
    async def post_consolidation(
        code: InCode, body: NewConsolidation, who: Principal = require("admin")
    ) -> answers.Consolidated:
        """End a centre at a moment and give all its towns to another from then on."""
        check_moment(body.valid_from, now=clock.now())
        async with database.transaction(town=who.town) as tx:
            moved = await consolidate(
                tx, code=code, into=body.into, valid_from=body.valid_from, who=who
            )
        return answers.Consolidated(
            code=code,
            into=body.into,
            valid_from=answers.stamp(body.valid_from),
            towns=answers.see_served(moved),
        )

    @router.get("/{code}/history", response_model_exclude_unset=True)
    async def get_history(
        code: InCode, who: Principal = require("manager", "viewer", "admin")
    ) -> answers.History:
        """Show all that was ever said of a centre, what was corrected as well, and by whom."""
        async with database.transaction() as tx:
            records = await store.records(tx, code)
            towns = await store.town_records(tx, code)
        if not records:
            raise not_found("The directory has no such code.")
        return answers.History(
            code=code,
            records=[answers.see_record(one) for one in records],
            towns=answers.see_served(towns),
        )

    return router


def _where(lon: float | None, lat: float | None, town: str | None) -> Spot | Town | None:
    if town is not None:
        if lon is not None or lat is not None:
            raise unprocessable("one-question", "Ask by point or by town.", pointer="query:town")
        found = town_by_geoid(town.strip()) or town_by_name(town)
        if found is None:
            raise unprocessable(
                "unknown-town", "Connecticut has no such town.", pointer="query:town"
            )
        return found
    if lon is None and lat is None:
        return None
    if lon is None or lat is None:
        missing = "lon" if lon is None else "lat"
        raise unprocessable(
            "required", "A point has a longitude and a latitude.", pointer=f"query:{missing}"
        )
    if is_swapped(lon, lat):
        raise unprocessable(
            "swapped-coordinates", "Longitude comes first, then latitude.", pointer="query:lon"
        )
    if not -90 <= lat <= 90:
        raise unprocessable("out-of-range", "Latitude is -90 to 90.", pointer="query:lat")
    return Spot(lon, lat)
