"""Find all that goes into an area: the request as it was read, and what it only names."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.geofence.areas.shapes.find_shapes import LayerUsed, find_shapes
from services.geofence.areas.shapes.geocodes import WholeCountry, meaning_of
from services.geofence.areas.shapes.read_area import read_area
from services.geofence.areas.shapes.refusals import ShapesRefused, faults_of
from services.geofence.areas.shapes.shape import Coded
from services.geofence.areas.workshop.job import Job
from services.geofence.layers.geometry import GeometryRefused
from shared.connecticut import is_beyond_state
from shared.db.session import Tx


@dataclass(frozen=True, slots=True)
class Mention:
    """A geocode beside shapes, and whether the gazetteer or a layer knows it."""

    code: Coded
    is_known: bool

    @property
    def is_lost(self) -> bool:
        """Say whether it may name a place in the State that nobody here knows."""
        return not self.is_known and not is_beyond_state(self.code.scheme, self.code.value)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an area is to be made of, and the layer versions its named features came from.

    `beside` are the geocodes that its shapes stand for; nothing of theirs goes into it.
    """

    job: Job
    layers: tuple[LayerUsed, ...]
    beside: tuple[Mention, ...] = ()


async def find_parts(tx: Tx, request: object) -> Parts:
    """Read a request for an area and find what it names; nothing is made of it yet.

    `tx` is for a town where saved areas may be named.

    Raises:
        GeometryRefused: any part of it is missing, wrong or unknown, or beside it stands a
            geocode that may name a place in the State and that nobody knows.
    """
    asked = await asyncio.to_thread(read_area, request)
    beside = await _find_beside(tx, asked.beside)
    try:
        include = await find_shapes(tx, asked.include)
        exclude = await find_shapes(tx, asked.exclude)
    except GeometryRefused as refused:
        raise ShapesRefused([*faults_of(refused), *_faults(beside)]) from None
    if any(one.is_lost for one in beside):
        raise ShapesRefused(_faults(beside))
    job = Job(request, include.given, exclude.given)
    return Parts(job, tuple(sorted(include.layers | exclude.layers)), beside)


async def _find_beside(tx: Tx, codes: Sequence[Coded]) -> tuple[Mention, ...]:
    """Look geocodes up as if they were asked for, but for what the gazetteer itself knows."""
    unsure = [code for code in codes if not _is_in_gazetteer(code)]
    unknown: set[str] = set()
    try:
        await find_shapes(tx, unsure)
    except ShapesRefused as refused:
        unknown = {fault.pointer for fault in refused.faults}
    return tuple(Mention(code, f"{code.pointer}/value" not in unknown) for code in codes)


def _is_in_gazetteer(code: Coded) -> bool:
    try:
        meaning = meaning_of(code.scheme, code.value)
    except WholeCountry:
        return False
    return meaning is not None and bool(meaning.towns)


def _faults(beside: Sequence[Mention]) -> list[GeometryRefused]:
    """Name every unknown code, those first that may be places in the State."""
    unknown = sorted((one for one in beside if not one.is_known), key=lambda one: not one.is_lost)
    return [_fault(one) for one in unknown]


def _fault(mention: Mention) -> GeometryRefused:
    at = f"{mention.code.pointer}/value"
    if mention.is_lost:
        return GeometryRefused("unknown-geocode", at, "Nobody knows this code here.")
    return GeometryRefused("beyond-state", at, "This code is of another state or country.")
