"""The kinds of layers there are, and a feature as it is stored."""

from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

from shapely.geometry.base import BaseGeometry

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
    "saved_area",
]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Feature:
    """A named area: its code is unique in its layer, its geometry in degrees WGS 84."""

    code: str
    name: str
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class Layer:
    """One version of a layer: how many features, and since when it has been in force."""

    layer_id: UUID
    kind: str
    version: int
    digest: str
    features: int
    imported_at: str
    activated_at: str
    current: bool
