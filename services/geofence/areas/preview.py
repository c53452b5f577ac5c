"""Say whom an area holds before anything is sent."""

import asyncio
from dataclasses import dataclass

from services.geofence.areas.compose import Composed
from services.geofence.areas.measure import area_km2
from services.geofence.index.view import Count, View


@dataclass(frozen=True, slots=True)
class Preview:
    """People and places in an area, and how large it is in square kilometres."""

    count: Count
    area_km2: float


async def preview(view: View, composed: Composed) -> Preview:
    """Count the people and places in an area off the event loop."""
    geometry = composed.area.geometry
    count = await asyncio.to_thread(view.count, geometry)
    return Preview(count, round(area_km2(geometry), 3))
