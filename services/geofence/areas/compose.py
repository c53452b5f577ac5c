"""Make one area of what a caller asked for: what is included, less what is excluded."""

import asyncio
from dataclasses import dataclass

from services.geofence.areas.area import Area, normalise
from services.geofence.areas.shapes.find_shapes import LayerUsed, find_shapes
from services.geofence.areas.shapes.read_area import read_area
from services.geofence.areas.workshop.job import Job
from services.geofence.areas.workshop.pool import Workshop
from shared.db.session import Tx


@dataclass(frozen=True, slots=True)
class Composed:
    """An area and the layer versions its named features came from."""

    area: Area
    layers: tuple[LayerUsed, ...]


async def compose(tx: Tx, request: object, *, workshop: Workshop | None = None) -> Composed:
    """Read, check and unite an area; nothing is repaired and nothing left out.

    `tx` is for a town where saved areas may be named. The work on geometry is done by the
    workshop, in a process of its own; without one, in a thread.

    Raises:
        GeometryRefused: any part of it is missing, wrong, unknown or too complex.
        Busy: the workshop has more to do than it can.
    """
    asked = await asyncio.to_thread(read_area, request)
    include = await find_shapes(tx, asked.include)
    exclude = await find_shapes(tx, asked.exclude)
    job = Job(request, include.given, exclude.given)
    geometry = await (workshop.make(job) if workshop else asyncio.to_thread(job.make))
    area = await asyncio.to_thread(normalise, [geometry])
    return Composed(area, tuple(sorted(include.layers | exclude.layers)))
