"""What is taken and answered over HTTP about saved areas."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import shapely
from fastapi import Path
from pydantic import StringConstraints

from services.geofence.areas.answers import MEASURED, TRIANGLE, LayerUsed
from services.geofence.saved.saved_area import Listed, SavedArea
from shared.web.models import StrictModel, example

_SHELTER: dict[str, Any] = {
    "name": "Two miles around the water works",
    "area": {"include": [{"type": "circle", "lon": -72.91, "lat": 41.33, "radius_m": 3200}]},
    "shared": False,
}
_SUMMARY: dict[str, Any] = {
    "saved_area_id": "019bd6a4-51c7-7a0e-9d3b-2c4f6e8a0b1d", "town": "0901301080",
    "name": "Below the lake dam", "shared": True, "version": 2, "digest": MEASURED["digest"],
    "area_km2": MEASURED["area_km2"], "created_at": "2026-01-20T15:12:40Z",
}  # fmt: skip
_SAVED: dict[str, Any] = {
    **_SUMMARY, **MEASURED, "layer_versions": [], "archived": False, "newest": 2,
    "area": {"include": [{"type": "geojson", "geometry": TRIANGLE}]}, "geometry": TRIANGLE,
    "created_by": "staff:duty-manager",
}  # fmt: skip
SavedAreaId = Annotated[UUID, Path(examples=[_SUMMARY["saved_area_id"]])]
# No control characters, and none that turn the direction of what follows (S33).
Name = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=100,
        strip_whitespace=True,
        pattern="^[^\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]+$",
    ),
]


class SavedAreaBody(StrictModel):
    """An area to be saved; `shared` lets the whole state use it, and nobody else change it."""

    model_config = example(**_SHELTER)

    name: Name
    # Read by the grammar of areas, which knows where in it a fault is.
    area: dict[str, Any] | None = None
    shared: bool = False


class SavedAreaSummary(StrictModel):
    """A saved area in a list, with its newest version."""

    saved_area_id: UUID
    town: str
    name: str
    shared: bool
    version: int
    digest: str
    area_km2: float
    created_at: datetime

    @classmethod
    def of(cls, listed: Listed) -> "SavedAreaSummary":
        """Write a listed area."""
        return cls(**{name: getattr(listed, name) for name in cls.model_fields})


class SavedAreaPage(StrictModel):
    """Saved areas in the order of their making; `after` asks for the next page, null at the end."""

    model_config = example(saved_areas=[_SUMMARY], after=None)

    saved_areas: list[SavedAreaSummary]
    after: UUID | None


class SavedAreaView(StrictModel):
    """A version of a saved area: what was asked for, and the geometry it came to for good."""

    model_config = example(**_SAVED)

    saved_area_id: UUID
    town: str
    name: str
    shared: bool
    archived: bool
    newest: int
    version: int
    area: dict[str, Any]
    geometry: dict[str, Any]
    digest: str
    area_km2: float
    vertices: int
    layer_versions: list[LayerUsed]
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, saved: SavedArea) -> "SavedAreaView":
        """Write a saved area."""
        outcome = saved.outcome
        return cls(
            saved_area_id=saved.saved_area_id,
            town=saved.town,
            name=saved.name,
            shared=saved.shared,
            archived=saved.archived,
            newest=saved.newest,
            version=saved.version,
            area=dict(outcome.request),
            geometry=shapely.geometry.mapping(shapely.from_wkb(outcome.wkb)),
            digest=outcome.digest,
            area_km2=outcome.area_km2,
            vertices=outcome.vertices,
            layer_versions=[
                LayerUsed(kind=one.kind, version=one.version, digest=one.digest)
                for one in outcome.layers
            ],
            created_at=saved.created_at,
            created_by=saved.created_by,
        )
