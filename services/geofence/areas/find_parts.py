"""Find all that goes into an area: the request as it was read, and what it only names."""

import asyncio
from dataclasses import dataclass

from services.geofence.areas.shapes.find_shapes import LayerUsed, find_shapes
from services.geofence.areas.shapes.read_area import read_area
from services.geofence.areas.workshop.job import Job
from shared.db.session import Tx


@dataclass(frozen=True, slots=True)
class Parts:
    """What an area is to be made of, and the layer versions its named features came from."""

    job: Job
    layers: tuple[LayerUsed, ...]


async def find_parts(tx: Tx, request: object) -> Parts:
    """Read a request for an area and find what it names; nothing is made of it yet.

    `tx` is for a town where saved areas may be named.

    Raises:
        GeometryRefused: any part of it is missing, wrong or unknown.
    """
    asked = await asyncio.to_thread(read_area, request)
    include = await find_shapes(tx, asked.include)
    exclude = await find_shapes(tx, asked.exclude)
    job = Job(request, include.given, exclude.given)
    return Parts(job, tuple(sorted(include.layers | exclude.layers)))
