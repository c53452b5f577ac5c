"""Make one area of what a caller asked for: what is included, less what is excluded."""

import asyncio
from dataclasses import dataclass

from services.geofence.areas.area import Area, normalise
from services.geofence.areas.find_parts import Mention, Parts
from services.geofence.areas.shapes.find_shapes import LayerUsed
from services.geofence.areas.workshop.pool import Workshop


@dataclass(frozen=True, slots=True)
class Composed:
    """An area, the layer versions its named features came from, and the geocodes beside it."""

    area: Area
    layers: tuple[LayerUsed, ...]
    beside: tuple[Mention, ...] = ()


async def compose(
    parts: Parts, *, workshop: Workshop | None = None, for_approval: bool = False
) -> Composed:
    """Check and unite the parts of an area; nothing is repaired and nothing left out.

    The work on geometry is done by the workshop, in a process of its own; without one, in a
    thread. It may take seconds, and needs no transaction.

    Raises:
        GeometryRefused: any part of it is wrong or too complex.
        Busy: the workshop has more to do than it can.
    """
    geometry = await (
        workshop.make(parts.job, for_approval=for_approval)
        if workshop
        else asyncio.to_thread(parts.job.make)
    )
    area = await asyncio.to_thread(normalise, [geometry])
    return Composed(area, parts.layers, parts.beside)
