"""Keep what is said of evacuation zones: all of it or, where any of it is wrong, nothing."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.psaps.bodies import EARLIEST
from services.geofence.psaps.boundaries import Boundaries, Drawings
from services.geofence.psaps.coverage import store
from services.geofence.psaps.coverage.zones import Kept, Said
from services.geofence.psaps.directory import town_of
from services.geofence.psaps.ground import wide_parts
from shared.connecticut import town_by_geoid
from shared.db.session import Tx
from shared.security.principal import Principal
from shared.web.errors import Fault, Problem, conflict

# Clocks of those who decide may be ahead of ours.
SKEW = timedelta(minutes=1)
MOST_FAULTS = 100


async def keep_statuses(
    tx: Tx, said: Sequence[Said], *, who: Principal, now: datetime, drawings: Drawings
) -> Kept:
    """Keep dated statuses of zones; the newest of each zone is what holds.

    Raises:
        Problem: 409 without a layer of zones, 422 for unknown zones or impossible moments, 403 for
            zones outside the town of somebody who acts for one.
    """
    layer = await drawings.at(tx, "evacuation_zone", now)
    if layer is None:
        raise conflict("no-evacuation-layer", "No layer of evacuation zones is imported.")
    _check(said, layer, now)
    await _check_town(tx, said, layer, who=who, now=now, drawings=drawings)
    await store.lock(tx)
    ahead = now + SKEW
    newest = {one.zone: one for one in await store.statuses_at(tx, ahead)}
    kept, older = [], []
    for one in sorted(said, key=lambda one: one.at):
        known = newest.get(one.zone)
        if known and known.since == one.at and known.status == one.status:
            continue
        if known and known.since > one.at:
            older.append(one.zone)
        kept.append(one)
    await store.insert_statuses(tx, kept, recorded_by=who.subject, by_town=who.town)
    return Kept(len(kept), len(said) - len(kept), tuple(older))


def _check(said: Sequence[Said], layer: Boundaries, now: datetime) -> None:
    codes = frozenset(layer.codes)
    seen: set[tuple[str, datetime]] = set()
    faults = []
    for number, one in enumerate(said):
        if one.zone not in codes:
            faults.append(Fault(f"/statuses/{number}/zone", "unknown-zone"))
        if one.at > now + SKEW:
            faults.append(Fault(f"/statuses/{number}/at", "in-future"))
        elif one.at < EARLIEST:
            faults.append(Fault(f"/statuses/{number}/at", "out-of-range"))
        if (one.zone, one.at) in seen:
            faults.append(Fault(f"/statuses/{number}", "duplicate"))
        seen.add((one.zone, one.at))
    if faults:
        detail = f"{len(faults)} faults; nothing is kept."
        raise Problem(422, faults[0].code, detail, errors=faults[:MOST_FAULTS])


async def _check_town(
    tx: Tx,
    said: Sequence[Said],
    layer: Boundaries,
    *,
    who: Principal,
    now: datetime,
    drawings: Drawings,
) -> None:
    geoid = town_of(who)
    if geoid is None:
        return
    drawn = await drawings.at(tx, "town", now)
    town = town_by_geoid(geoid)
    shape = drawn.shape(town.geoid, town.geoid_2022) if drawn and town else None
    if shape is None:
        raise conflict("no-town-boundary", "The boundary of your town is not imported.")
    zones = sorted({one.zone for one in said})
    own = await asyncio.to_thread(_touching, shape, layer, zones)
    faults = [
        Fault(f"/statuses/{number}/zone", "other-town")
        for number, one in enumerate(said)
        if one.zone not in own
    ]
    if faults:
        detail = "You may speak of zones of your own town only; nothing is kept."
        raise Problem(403, "other-town", detail, errors=faults[:MOST_FAULTS])


def _touching(town: BaseGeometry, layer: Boundaries, zones: Sequence[str]) -> set[str]:
    return {
        zone
        for zone in zones
        if wide_parts(shapely.intersection(layer.shape(zone) or shapely.Polygon(), town))
    }
