"""Read a file of address points in a process apart, and hand its rows on batch by batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from services.geofence.layers.faults import LayerWarning
from services.geofence.layers.formats.addresses.fields import Asked
from services.geofence.layers.formats.media import Format
from services.geofence.layers.formats.sandbox.run_apart import Bounds, run_apart

# 1.3 million addresses, which is all of the State, take well under a minute.
BOUNDS = Bounds(seconds=300, memory=2 << 30, output=1_000_000_000)
Batch = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class AddressFile:
    """What a file held: how many addresses, their batches, and where they came from."""

    count: int
    batches: Iterator[Batch]
    format: Format
    layer: str
    crs: str
    warnings: tuple[LayerWarning, ...]


@contextmanager
def read_addresses(
    data: bytes, format: Format, *, fields: Asked, layer: str | None = None
) -> Iterator[AddressFile]:
    """Read the file and yield its addresses as columns, streets and towns already alike.

    Raises:
        LayerInvalid: anything is wrong with the file or with a point of it.
    """
    job = {"purpose": "addresses", "format": format, "layer": layer, "fields": dict(fields)}
    with run_apart(job, data, bounds=BOUNDS) as answer:
        said = answer.summary()
        warnings = tuple(LayerWarning(code, detail) for code, detail, _ in said["warnings"])
        batches = (orjson.loads(piece) for piece in answer)
        yield AddressFile(said["count"], batches, format, said["layer"], said["crs"], warnings)
