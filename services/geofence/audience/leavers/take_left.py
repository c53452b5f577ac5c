"""Find who was inside an area when its alert was approved, and has left since."""

from datetime import datetime
from uuid import UUID

import numpy as np
from shapely.geometry.base import BaseGeometry

from services.geofence.audience.leavers import store
from services.geofence.audience.leavers.stays import stays_of
from shared.db.session import Tx


async def take_left(
    tx: Tx, *, approved_at: datetime, area: BaseGeometry
) -> tuple[set[UUID], set[UUID]]:
    """Return who has left an area since a moment, and who was inside by uncertainty only."""
    spots = await store.left_after(tx, approved_at, bounds=area.bounds)
    if not spots:
        return set(), set()
    return stays_of(spots).met(area, np.arange(len(spots)))
