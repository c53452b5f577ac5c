"""A saved area as it is kept: whose it is, what it is called, and one of its versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class LayerRef:
    """A layer version that a saved area was made with."""

    kind: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request for an area came to: WKB in degrees WGS 84 and what it was made with."""

    request: Mapping[str, Any]
    wkb: bytes
    digest: str
    layers: tuple[LayerRef, ...]
    area_km2: float
    vertices: int


@dataclass(frozen=True, slots=True)
class SavedArea:
    """One version of a saved area; `newest` is the number of the latest there is."""

    saved_area_id: UUID
    town: str
    name: str
    shared: bool
    archived: bool
    newest: int
    version: int
    outcome: Outcome
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A saved area in a list: without its geometry."""

    saved_area_id: UUID
    town: str
    name: str
    shared: bool
    version: int
    digest: str
    area_km2: float
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """How somebody wants a saved area to be."""

    name: str
    shared: bool
    outcome: Outcome
    by: str
