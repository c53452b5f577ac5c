"""The kinds of layers there are, a feature as it is stored, and where a layer came from."""

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args
from uuid import UUID

from shapely.geometry.base import BaseGeometry

from services.geofence.layers.faults import LayerWarning

# Layers of areas: each of their features can be named where an area is asked for.
Kind = Literal[
    "town",
    "county",
    "planning_region",
    "nws_zone",
    "same",
    "psap",
    "evacuation_zone",
    "zip",
    "jurisdiction",
]
KINDS: tuple[str, ...] = get_args(Kind)
# A layer of points, kept apart: an address is looked up and never an area by itself.
ADDRESS_POINT = "address_point"
AnyKind = Literal[Kind, "address_point"]
ANY_KINDS: tuple[str, ...] = (*KINDS, ADDRESS_POINT)


@dataclass(frozen=True, slots=True)
class Feature:
    """A named area: its code is unique in its layer, its geometry in degrees WGS 84."""

    code: str
    name: str
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class Layer:
    """One version of a layer: what it came from, and since when it has been in force.

    `valid_from` is the date its importer gave, `current` whether it is the one that answers.
    """

    layer_id: UUID
    kind: str
    version: int
    digest: str
    features: int
    imported_at: str
    activated_at: str
    valid_from: str
    current: bool
    source_format: str
    source_crs: str
    source_layer: str
    warnings: tuple[LayerWarning, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """A file by its digest, how it was read, and from when it shall be in force.

    Equal digest, fields, inner layer and date make one version; without a date it is today's.
    """

    digest: bytes
    code_field: str
    name_field: str
    layer: str = ""
    valid_from: date | None = None
    format: str = "geojson"
    crs: str = "OGC:CRS84"
    warnings: tuple[LayerWarning, ...] = ()


def digest_of(data: bytes) -> bytes:
    """Return the SHA-256 of a file's bytes."""
    return hashlib.sha256(data).digest()
