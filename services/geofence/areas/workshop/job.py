"""A piece of work on geometry: what is asked and what it names, as bytes for another process."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.shapes.assemble import assemble
from services.geofence.areas.shapes.read_area import read_area
from services.geofence.areas.shapes.refusals import ShapesRefused
from services.geofence.areas.shapes.shape import NOTHING, Given
from services.geofence.layers.geometry import GeometryRefused

_LENGTH = struct.Struct("<Q")
# The first byte of an answer.
AREA, REFUSAL, FAILURE = b"A", b"R", b"F"


@dataclass(frozen=True, slots=True)
class Job:
    """A request for an area as it came, and what its two sides name."""

    request: Any
    include: Given = NOTHING
    exclude: Given = NOTHING

    def make(self) -> Polygon | MultiPolygon:
        """Make the area here and now.

        Raises:
            GeometryRefused: it is refused.
        """
        return assemble(read_area(self.request), include=self.include, exclude=self.exclude)

    def pack(self) -> bytes:
        """Return the job as bytes."""
        sides = (self.include, self.exclude)
        blobs = [orjson.dumps(self.request)]
        blobs += [_pack(many) for side in sides for many in (side.features, side.saved)]
        return b"".join(_LENGTH.pack(len(blob)) + blob for blob in blobs)


def unpack_job(data: bytes) -> Job:
    """Return the job of bytes that `Job.pack` made."""
    blobs, at = [], 0
    while at < len(data):
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        blobs.append(data[at : at + size])
        at += size
    request, *geometries = blobs
    features, saved, others, other_saved = (_unpack(blob) for blob in geometries)
    return Job(orjson.loads(request), Given(features, saved), Given(others, other_saved))


def answer(job: Job) -> bytes:
    """Do a job and return its answer as bytes."""
    try:
        return AREA + shapely.to_wkb(job.make(), byte_order=1)
    except ShapesRefused as refused:
        return REFUSAL + orjson.dumps([_plain(one) for one in refused.faults])
    except GeometryRefused as refused:
        return REFUSAL + orjson.dumps([_plain(refused)])


def read_answer(data: bytes) -> BaseGeometry:
    """Return the area of an answer.

    Raises:
        GeometryRefused: the answer is a refusal.
        RuntimeError: the worker failed by a fault of ours.
    """
    kind, body = data[:1], data[1:]
    if kind == AREA:
        return shapely.from_wkb(body)
    if kind != REFUSAL:
        raise RuntimeError("the work on an area failed")
    faults = [
        GeometryRefused(code, pointer, detail, status=status)
        for code, pointer, detail, status in orjson.loads(body)
    ]
    raise faults[0] if len(faults) == 1 else ShapesRefused(faults)


def _plain(refused: GeometryRefused) -> tuple[str, str, str, int]:
    return refused.code, refused.pointer, refused.detail, refused.status


def _pack(geometries: Sequence[BaseGeometry]) -> bytes:
    return shapely.to_wkb(shapely.geometrycollections(list(geometries)), byte_order=1)


def _unpack(blob: bytes) -> tuple[BaseGeometry, ...]:
    return tuple(shapely.get_parts(shapely.from_wkb(blob)).tolist())
