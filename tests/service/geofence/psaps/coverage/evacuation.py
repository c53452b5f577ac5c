"""Evacuation zones, what is said of them, and alerts that cover them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.area import normalise
from shared.db.session import execute
from tests.service.geofence.psaps.desk import Desk

STATUSES, COVERAGE = "/v1/evacuation-zones/statuses", "/v1/coverage"
WEST, EAST = shapely.box(-72.8, 41.5, -72.75, 41.6), shapely.box(-72.75, 41.5, -72.7, 41.6)
# Zone X lies in two towns, Y in a third.
ZONES = {
    "W": WEST,
    "E": EAST,
    "X": shapely.box(-72.71, 41.52, -72.69, 41.58),
    "Y": shapely.box(-72.56, 41.52, -72.52, 41.58),
}

END = "UPDATE geofence_live_alert SET ended_at = clock_timestamp() WHERE alert_id = :id"


def ago(**how: float) -> str:
    """Write a moment before now."""
    return (datetime.now(UTC) - timedelta(**how)).isoformat()


def said(zone: str, status: str = "order", at: str | None = None) -> dict[str, str]:
    """Make a status of a zone, of a minute ago unless said."""
    return {"zone": zone, "status": status, "at": at or ago(minutes=1)}


async def say(desk: Desk, *statuses: dict[str, str], **headers: str) -> Any:
    """Keep statuses that must be taken."""
    return await desk.ok(STATUSES, {"statuses": list(statuses)}, **headers)


async def order(desk: Desk, *zones: str) -> None:
    """Draw the zones and put some under an order."""
    await desk.draw("evacuation_zone", ZONES)
    await say(desk, *(said(zone) for zone in zones))


async def alert(
    desk: Desk,
    *shapes: BaseGeometry,
    alert_id: UUID | None = None,
    version: int = 1,
    members: int | None = 1,
    status: str = "Actual",
    nobody_yet: bool = False,
    lives: timedelta = timedelta(hours=1),
) -> UUID:
    """Make an alert live over an area, with one person found unless said, or none looked for."""
    alert_id = alert_id or uuid4()
    area = normalise(shapes)
    async with desk.database.transaction() as tx:
        await execute(tx, f"{END} AND version < :version", id=alert_id, version=version)
        await execute(
            tx,
            """
            INSERT INTO geofence_live_alert
                   (alert_id, version, status, area_wkb, area_digest, expires_at, registered_at,
                    nobody_yet)
            VALUES (:id, :version, :status, :wkb, decode(:digest, 'hex'), :expires_at,
                    clock_timestamp(), :nobody_yet)
            """,
            id=alert_id,
            version=version,
            status=status,
            wkb=area.wkb,
            digest=area.digest,
            expires_at=datetime.now(UTC) + lives,
            nobody_yet=nobody_yet,
        )
    if members is not None:
        await complete(desk, alert_id, version=version, members=members)
    return alert_id


async def complete(desk: Desk, alert_id: UUID, *, version: int = 1, members: int) -> None:
    """Complete a run of an alert."""
    async with desk.database.transaction() as tx:
        await execute(
            tx,
            """
            INSERT INTO geofence_run (run_id, alert_id, version, completed_at, members)
            VALUES (gen_random_uuid(), :id, :version, clock_timestamp(), :members)
            """,
            id=alert_id,
            version=version,
            members=members,
        )


async def join(desk: Desk, alert_id: UUID) -> None:
    """Let somebody join an alert late."""
    async with desk.database.transaction() as tx:
        await execute(
            tx,
            """
            INSERT INTO geofence_late_joiner (alert_id, version, subscriber_id)
            VALUES (:id, 1, gen_random_uuid())
            """,
            id=alert_id,
        )


async def end(desk: Desk, alert_id: UUID) -> None:
    """End an alert."""
    async with desk.database.transaction() as tx:
        await execute(tx, END, id=alert_id)


def gaps(answer: Any) -> dict[str, str]:
    """Return the uncovered zones and whether wholly or partly."""
    return {one["zone"]: one["gap"] for one in answer["uncovered"]}


def ids(zone: Any) -> Sequence[str]:
    """Return the alerts over a zone."""
    return [one["alert_id"] for one in zone["alerts"]]
