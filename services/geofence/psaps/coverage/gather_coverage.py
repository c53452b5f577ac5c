"""Gather what is known at a moment: zones of a grave status, and the areas of live alerts."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from services.geofence.areas.area import Area, AreaBroken, from_wkb
from services.geofence.psaps.boundaries import Boundaries, Drawings
from services.geofence.psaps.coverage import store
from services.geofence.psaps.coverage.gaps import LiveArea, Zone
from services.geofence.psaps.coverage.zones import AtLeast, ZoneStatus, needs_alert
from shared.db.session import Tx
from shared.watch.logs import get_logger
from shared.watch.metrics import pages
from shared.web.errors import conflict, unprocessable

log = get_logger(__name__)

MOST_AREAS = 64

Version = tuple[UUID, int]
Why: TypeAlias = Literal["unresolved", "empty", "refused", "not_actual", "unreadable"]


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that coverage is judged by.

    `not_in_layer` are zones of a grave status that the layer in force does not draw. Live alerts
    that cover nothing are `idle`: of unresolved ones the people have not been found yet, of empty
    ones nobody was found, refused ones are held, others are not actual, but tests or exercises,
    and of unreadable ones the area is altered or none.
    """

    at: datetime
    layer: Boundaries
    statuses_known: bool
    without_status: int
    zones: tuple[Zone, ...]
    not_in_layer: tuple[ZoneStatus, ...]
    alerts: tuple[LiveArea, ...]
    idle: Mapping[Why, Sequence[Version]]


class LiveAreas:
    """Areas of alerts, read once by digest; of a broken one somebody is told once."""

    def __init__(self) -> None:
        self._known: dict[str, Area] = {}
        self._told: set[Version] = set()

    async def of(self, tx: Tx, *, alert_id: UUID, version: int, digest: str) -> Area:
        """Return the area of an alert version.

        Raises:
            AreaBroken: what is stored is no area, or not the approved one.
        """
        area = self._known.pop(digest, None)
        if area is None:
            wkb = await store.area_wkb(tx, alert_id=alert_id, version=version)
            area = await asyncio.to_thread(from_wkb, bytes(wkb or b""), digest=digest)
        self._known[digest] = area
        if len(self._known) > MOST_AREAS:
            del self._known[next(iter(self._known))]
        return area

    def tell_broken(self, alert: Version, why: str) -> None:
        """Call a person to a live alert whose area is broken, unless that was done."""
        if alert in self._told:
            return
        # Coverage is asked for every few seconds while people leave.
        self._told.add(alert)
        log.critical("coverage.area_broken", alert_id=str(alert[0]), reason=why)
        pages.labels("geofence", "area-broken").inc()


async def gather_coverage(
    tx: Tx, *, at: datetime | None, at_least: AtLeast, drawings: Drawings, areas: LiveAreas
) -> Known:
    """Gather zones, their statuses and live alerts of a moment, now unless said.

    Raises:
        Problem: 409 without a layer of zones at that moment, 422 for one that is yet to come.
    """
    now = await store.moment(tx)
    if at is not None and at > now:
        raise unprocessable("in-future", "This moment is yet to come.", pointer="query:at")
    at = at or now
    layer = await drawings.at(tx, "evacuation_zone", at)
    if layer is None:
        raise conflict(
            "no-evacuation-layer", "No layer of evacuation zones was in force at that moment."
        )
    statuses = await store.statuses_at(tx, at)
    grave = [one for one in statuses if needs_alert(one.status, at_least=at_least)]
    drawn = dict(zip(layer.codes, zip(layer.names, layer.shapes, strict=True), strict=True))
    alerts: list[LiveArea] = []
    idle: defaultdict[Why, list[Version]] = defaultdict(list)
    for row in await store.live_at(tx, at):
        alert_id, version = row["alert_id"], row["version"]
        if row["idle"]:
            idle[row["idle"]].append((alert_id, version))
            continue
        try:
            area = await areas.of(tx, alert_id=alert_id, version=version, digest=row["digest"])
        except AreaBroken as error:
            areas.tell_broken((alert_id, version), str(error))
            idle["unreadable"].append((alert_id, version))
            continue
        alerts.append(LiveArea(alert_id, version, area.geometry))
    return Known(
        at=at,
        layer=layer,
        statuses_known=bool(statuses),
        without_status=len(drawn.keys() - {one.zone for one in statuses}),
        zones=tuple(Zone(one, *drawn[one.zone]) for one in grave if one.zone in drawn),
        not_in_layer=tuple(one for one in grave if one.zone not in drawn),
        alerts=tuple(alerts),
        idle=idle,
    )
