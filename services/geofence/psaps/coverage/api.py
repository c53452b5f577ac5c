"""HTTP in: statuses of evacuation zones, and which zones no live alert covers."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from services.geofence.psaps.answers import LAYER, LayerUsed, see_layer, stamp
from services.geofence.psaps.bodies import At
from services.geofence.psaps.boundaries import Drawings
from services.geofence.psaps.coverage.gaps import ZoneCovered, cover_zones
from services.geofence.psaps.coverage.gather_coverage import (
    Known,
    LiveAreas,
    Version,
    gather_coverage,
)
from services.geofence.psaps.coverage.keep_statuses import keep_statuses
from services.geofence.psaps.coverage.zones import AtLeast, Said, Status, ZoneStatus
from shared.clock import Clock
from shared.db.session import Database
from shared.security.principal import Principal
from shared.web.auth import require
from shared.web.models import StrictModel, example

MOST_STATUSES = 5_000
_ALERT = {"alert_id": "019c241d-1c2b-7a4d-8e5f-6a7b8c9d0e1f", "version": 1}
_HELD = {"alert_id": "019c241d-2f80-7c1e-9a3b-4c5d6e7f8091", "version": 2}
_ZONE = {"zone": "A-1", "status": "order", "since": "2026-02-03T15:00:00Z",
         "said_by": "duty-manager"}  # fmt: skip
_JUDGED = {**_ZONE, "name": "Harbor Road", "gap": "partly", "km2": 1.82, "uncovered_km2": 0.43,
           "uncovered_share": 0.236264, "alerts": [_ALERT]}  # fmt: skip
_COVERAGE: dict[str, Any] = {
    "at": "2026-02-03T15:20:00Z", "at_least": "order", "tolerance": 0.01,
    "layer": {**LAYER, "kind": "evacuation_zone"}, "statuses_known": True, "all_covered": False,
    "zones_without_status": 14, "live_alerts": 1, "uncovered": [_JUDGED], "covered": [],
    "not_in_layer": [], "unresolved_alerts": [], "empty_alerts": [], "refused_alerts": [_HELD],
    "not_actual_alerts": [], "unreadable_alerts": [],
}  # fmt: skip


class NewStatus(StrictModel):
    """What holds for a zone from a moment on; `watch` is to be ready."""

    zone: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    status: Status
    at: datetime


class NewStatuses(StrictModel):
    """Statuses of zones, all of which are kept or none."""

    model_config = example(
        statuses=[{"zone": "A-1", "status": "order", "at": "2026-02-03T15:00:00Z"}]
    )

    statuses: Annotated[list[NewStatus], Field(min_length=1, max_length=MOST_STATUSES)]


class StatusesKept(BaseModel):
    """How many were kept, how many said nothing new, and of which zones a newer one stands."""

    model_config = example(kept=11, unchanged=2, older=["A-3"])

    kept: int
    unchanged: int
    older: list[str]


class AlertRef(BaseModel):
    """A version of an alert."""

    alert_id: UUID
    version: int


class ZoneSeen(BaseModel):
    """A zone and the status that holds for it."""

    zone: str
    status: Status
    since: str
    said_by: str


class ZoneJudged(ZoneSeen):
    """How much of a zone no live alert covers; `gap` says whether none or only some is covered."""

    name: str
    gap: str | None
    km2: float
    uncovered_km2: float
    uncovered_share: float
    alerts: list[AlertRef]


class CoverageSeen(BaseModel):
    """Zones under an order and the live alerts over them.

    `all_covered` is null while no status of any zone is known: nothing known is not all covered.
    `live_alerts` counts those that cover. Alerts whose people have not been found yet, that found
    nobody, that were refused and are held, that are tests or exercises, or whose stored area is
    altered or cannot be read, cover nothing.
    """

    model_config = example(**_COVERAGE)

    at: str
    at_least: AtLeast
    tolerance: float
    layer: LayerUsed
    statuses_known: bool
    all_covered: bool | None
    zones_without_status: int
    live_alerts: int
    uncovered: list[ZoneJudged]
    covered: list[ZoneJudged]
    not_in_layer: list[ZoneSeen]
    unresolved_alerts: list[AlertRef]
    empty_alerts: list[AlertRef]
    refused_alerts: list[AlertRef]
    not_actual_alerts: list[AlertRef]
    unreadable_alerts: list[AlertRef]


def make_router(*, database: Database, clock: Clock, drawings: Drawings) -> APIRouter:
    """Make the routes of coverage."""
    router = APIRouter(tags=["coverage"])
    areas = LiveAreas()

    @router.post("/v1/evacuation-zones/statuses")
    async def post_statuses(
        body: NewStatuses, who: Principal = require("manager", "admin")
    ) -> StatusesKept:
        """Keep what is said of evacuation zones: all of it, or nothing where a zone is unknown."""
        said = [Said(one.zone, one.status, one.at) for one in body.statuses]
        async with database.transaction(town=who.town) as tx:
            kept = await keep_statuses(tx, said, who=who, now=clock.now(), drawings=drawings)
        return StatusesKept(kept=kept.kept, unchanged=kept.unchanged, older=list(kept.older))

    @router.get("/v1/coverage")
    async def get_coverage(
        at: At = None,
        at_least: Annotated[AtLeast, Query(examples=["warning"])] = "order",
        tolerance: Annotated[
            float, Query(ge=0, le=0.5, allow_inf_nan=False, examples=[0.01])
        ] = 0.0,
        who: Principal = require("manager", "viewer", "admin"),
    ) -> CoverageSeen:
        """List zones under an order, to leave or to shelter, that no live alert covers.

        `at_least` asks for warnings and watches as well; `tolerance` is the share of a zone that
        may stay uncovered.
        """
        async with database.transaction() as tx:
            known = await gather_coverage(
                tx, at=at, at_least=at_least, drawings=drawings, areas=areas
            )
        judged = await asyncio.to_thread(cover_zones, known.zones, known.alerts)
        return _seen(known, judged, at_least=at_least, tolerance=tolerance)

    return router


def _seen(
    known: Known, judged: list[ZoneCovered], *, at_least: AtLeast, tolerance: float
) -> CoverageSeen:
    worst = sorted(judged, key=lambda one: (-one.uncovered_km2, one.zone.status.zone))
    gaps = [one for one in worst if one.is_gap(tolerance)]
    complete = not gaps and not known.not_in_layer
    return CoverageSeen(
        at=stamp(known.at),
        at_least=at_least,
        tolerance=tolerance,
        layer=see_layer(known.layer),
        statuses_known=known.statuses_known,
        all_covered=complete if known.statuses_known else None,
        zones_without_status=known.without_status,
        live_alerts=len(known.alerts),
        uncovered=[_judged(one, gap=True) for one in gaps],
        covered=[_judged(one, gap=False) for one in worst if not one.is_gap(tolerance)],
        not_in_layer=[ZoneSeen.model_validate(_zone(one)) for one in known.not_in_layer],
        unresolved_alerts=_refs(known.idle.get("unresolved", ())),
        empty_alerts=_refs(known.idle.get("empty", ())),
        refused_alerts=_refs(known.idle.get("refused", ())),
        not_actual_alerts=_refs(known.idle.get("not_actual", ())),
        unreadable_alerts=_refs(known.idle.get("unreadable", ())),
    )


def _refs(alerts: Iterable[Version]) -> list[AlertRef]:
    return [AlertRef(alert_id=alert_id, version=version) for alert_id, version in alerts]


def _zone(status: ZoneStatus) -> dict[str, Any]:
    return {
        "zone": status.zone,
        "status": status.status,
        "since": stamp(status.since),
        "said_by": status.recorded_by,
    }


def _judged(one: ZoneCovered, *, gap: bool) -> ZoneJudged:
    return ZoneJudged.model_validate(
        {
            **_zone(one.zone.status),
            "name": one.zone.name,
            "gap": None if not gap else "partly" if one.alerts else "wholly",
            "km2": round(one.km2, 6),
            "uncovered_km2": round(one.uncovered_km2, 6),
            "uncovered_share": round(one.uncovered_share, 6),
            "alerts": _refs(one.alerts),
        }
    )
