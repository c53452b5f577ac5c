"""What the areas room answers over HTTP."""

from typing import Any

import shapely

from services.geofence.areas.compose import Composed
from services.geofence.areas.disclosure import coarse, coarse_all, reach
from services.geofence.areas.outlines.outline import Outline
from services.geofence.areas.preview import Preview
from services.geofence.areas.shapes.refusals import faults_of
from services.geofence.layers.geometry import GeometryRefused
from shared.web.errors import Fault, Problem, unavailable
from shared.web.models import StrictModel, example

BUSY_S = 2

LAYER: dict[str, Any] = {"kind": "town", "version": 3, "digest": "a3" * 32}
# Area, digest and number of vertices are those of this triangle.
TRIANGLE: dict[str, Any] = {
    "type": "Polygon",
    "coordinates": [[[-72.4, 41.7], [-72.3, 41.8], [-72.3, 41.7], [-72.4, 41.7]]],
}
MEASURED: dict[str, Any] = {
    "digest": "5679cf205ccc7ca0185807b7b92a3aea82c02d22b3fbb003635b8b1c400c7163",
    "area_km2": 46.19, "vertices": 4, "layer_versions": [LAYER],
}  # fmt: skip
_CONCERNED: dict[str, Any] = {
    "jurisdictions": [{"kind": "town", "code": "0901301080", "name": "Andover"}],
    "neighbours": [
        {"kind": "town", "code": "0901337910", "name": "Hebron", "distance_m": 2310.4},
    ],
}  # fmt: skip
_BY_CHANNEL = {"sms": 1180, "voice": 205, "email": 610}
_PREVIEWED: dict[str, Any] = {
    "people": 1240, "places": 1315, "by_uncertainty": 10, "by_channel": _BY_CHANNEL,
    "by_language": {"en": 1100, "es": 140},
    "towns": [{"code": "0901301080", "name": "Andover", "share": 0.9134, "people": 1240,
               "residents": 2876, "reach": 0.4312}],
    "residents": 2876, "reach": 0.4312, **MEASURED, "bounds": [-72.4, 41.7, -72.3, 41.8],
    **_CONCERNED, "slivers": [{"code": "0901317800", "name": "Coventry", "share": 0.0021}],
    "outline": {"geometry": TRIANGLE, "vertices": 4, "growth": 0.0},
}  # fmt: skip
_RESOLVED: dict[str, Any] = {
    "wkb": "eJxjZGZgYGAEYhYgnjUTCCSDDoDpmy4OxiAgHHQgDQSeIfgweXT1AJ/EHR0=", **MEASURED,
    **_CONCERNED, "estimate": {"people": 1240, "by_channel": _BY_CHANNEL, "residents": 2876},
    "beside": [{"scheme": "SAME", "value": "009013", "known": True}],
    "nonce": "6f1d0c", "key_id": "geofence-1", "signature": "A" * 86 + "==",
}  # fmt: skip


class LayerUsed(StrictModel):
    """A layer version that named features came from."""

    kind: str
    version: int
    digest: str


class Touched(StrictModel):
    """A jurisdiction that an area enters."""

    kind: str
    code: str
    name: str


class Neighbour(Touched):
    """A jurisdiction that an area does not enter, and how far from it it is."""

    distance_m: float


class TownShare(StrictModel):
    """A town that an area enters: which share of its ground, whom it reaches there."""

    code: str
    name: str
    share: float
    people: int | None
    residents: int | None
    reach: float | None


class Sliver(StrictModel):
    """A town of which the area takes so little that it may not have been meant."""

    code: str
    name: str
    share: float


class OutlineDrawn(StrictModel):
    """An outline of few coordinates that covers the area; nobody is chosen by it."""

    geometry: dict[str, Any]
    vertices: int
    growth: float


class Previewed(StrictModel):
    """Whom an area holds; bounds are west, south, east, north in degrees.

    Counts by language and town come in fives, null for one to four; viewers, and managers
    beyond their own town, get all counts so.
    A person counts once for each channel they have, however many numbers or mailboxes of it.
    `residents` are estimated by the share of each town's ground, `reach` is people registered for
    each of them. Neighbours lie at most 5 km away.
    """

    model_config = example(**_PREVIEWED)

    people: int | None
    places: int | None
    by_uncertainty: int | None
    by_channel: dict[str, int | None]
    by_language: dict[str, int | None]
    towns: list[TownShare]
    residents: int | None
    reach: float | None
    area_km2: float
    vertices: int
    digest: str
    layer_versions: list[LayerUsed]
    bounds: tuple[float, float, float, float]
    jurisdictions: list[Touched]
    neighbours: list[Neighbour]
    slivers: list[Sliver]
    outline: OutlineDrawn | None


class Beside(StrictModel):
    """A geocode that stands beside shapes, and whether the gazetteer or a layer knows it."""

    scheme: str
    value: str
    known: bool


class Estimate(StrictModel):
    """How many people an area holds, and how many live there."""

    people: int
    by_channel: dict[str, int]
    residents: int | None


class ResolvedArea(StrictModel):
    """A normalised area (base64 of zlib WKB) and who is concerned, signed by the geofence."""

    model_config = example(**_RESOLVED)

    wkb: str
    digest: str
    area_km2: float
    vertices: int
    layer_versions: list[LayerUsed]
    jurisdictions: list[Touched]
    neighbours: list[Neighbour]
    estimate: Estimate
    beside: list[Beside]
    nonce: str
    key_id: str
    signature: str


def refused(error: GeometryRefused, *, at: str = "/area") -> Problem:
    """Make a problem of a refused geometry; `at` is where in the body the area stands."""
    if error.status == 503:
        return unavailable(error.code, error.detail, BUSY_S)
    said = [Fault(f"{at}{one.pointer}", one.code, one.detail) for one in faults_of(error)]
    return Problem(error.status, error.code, error.detail, errors=said)


def previewed(seen: Preview, composed: Composed, *, exact: bool) -> Previewed:
    """Write a preview, its totals exactly or in fives."""
    count, area = seen.count, composed.area
    people = count.people if exact else coarse(count.people)
    return Previewed(
        people=people,
        places=count.places if exact else coarse(count.places),
        by_uncertainty=count.by_uncertainty if exact else coarse(count.by_uncertainty),
        by_channel={**count.by_channel} if exact else coarse_all(count.by_channel),
        by_language=coarse_all(count.by_language),
        towns=_towns(seen),
        residents=_whole(seen.residents),
        reach=reach(people, seen.residents),
        area_km2=seen.area_km2,
        vertices=seen.vertices,
        digest=area.digest,
        layer_versions=[
            LayerUsed(kind=layer.kind, version=layer.version, digest=layer.digest)
            for layer in composed.layers
        ],
        bounds=area.geometry.bounds,
        jurisdictions=[
            Touched(kind=one.kind, code=one.feature.code, name=one.feature.name)
            for one in seen.entered
        ],
        neighbours=[
            Neighbour(
                kind=one.kind,
                code=one.feature.code,
                name=one.feature.name,
                distance_m=one.distance_m,
            )
            for one in seen.neighbours
        ],
        slivers=[
            Sliver(code=one.town.code, name=one.town.name, share=round(one.share, 4))
            for one in seen.towns
            if one.is_sliver
        ],
        outline=_outline(seen.outline),
    )


def _towns(seen: Preview) -> list[TownShare]:
    told = []
    for one in seen.towns:
        people = coarse(seen.count.by_town.get(one.town.code, 0))
        told.append(
            TownShare(
                code=one.town.code,
                name=one.town.name,
                share=round(one.share, 4),
                people=people,
                residents=_whole(one.residents),
                reach=reach(people, one.residents),
            )
        )
    return told


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _outline(drawn: Outline | None) -> OutlineDrawn | None:
    if drawn is None:
        return None
    geometry = shapely.geometry.mapping(drawn.geometry)
    return OutlineDrawn(geometry=geometry, vertices=drawn.vertices, growth=round(drawn.growth, 6))
