"""What is taken and answered over HTTP about lists, streets and files."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from services.geofence.areas.answers import MEASURED, TRIANGLE, LayerUsed
from services.geofence.layers.kinds import Layer
from shared.web.errors import Problem, conflict
from shared.web.models import StrictModel, example

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
HouseNumber = Annotated[int, Field(ge=0, le=999_999)]
_LAYERS: list[Any] = [{"kind": "address_point", "version": 1, "digest": "b7" * 32}]
_DOTS: dict[str, Any] = {
    "type": "points", "points": [[-72.3701, 41.7302], [-72.3761, 41.7331]], "radius_m": 30.0,
}  # fmt: skip


class UnmatchedRow(StrictModel):
    """A row that stands for no point, as a spreadsheet counts; `near` are numbers there are."""

    row: int
    reason: str
    column: str | None
    near: list[str]


class ListMatched(StrictModel):
    """What a list came to: shapes to be used in an area, and every row that is not in them.

    `columns` are those that were understood. Nothing of the list is kept.
    """

    model_config = example(
        rows=3,
        blank=0,
        matched=2,
        points=2,
        columns=["number", "street", "town", "lon", "lat"],
        unmatched=[
            {"row": 4, "reason": "unknown-number", "column": "number", "near": ["12", "14"]}
        ],
        shapes=[_DOTS],
        layer_versions=_LAYERS,
    )

    rows: int
    blank: int
    matched: int
    points: int
    columns: list[str]
    unmatched: list[UnmatchedRow]
    shapes: list[dict[str, Any]]
    layer_versions: list[LayerUsed]


class StreetBody(StrictModel):
    """A street of a town, or the numbers of it from `first` to `last`, or those of one side.

    `postal` tells two streets of one name in a town apart.
    """

    model_config = example(street="Main Street", town="Hartford", first=100, last=198, side="even")

    street: Text
    town: Text
    first: HouseNumber | None = None
    last: HouseNumber | None = None
    side: Literal["odd", "even"] | None = None
    postal: Text | None = None
    radius_m: Annotated[float, Field(ge=1, le=1_000)] = 30.0


class UnmatchedNumber(StrictModel):
    """A house number that is in no shape.

    The places that have it lie far apart (`ambiguous`), or it is of a street whose name is written
    otherwise and may be the same (`written-otherwise`).
    """

    number: str
    reason: Literal["ambiguous", "written-otherwise"]


class StreetMatched(StrictModel):
    """The shapes of a street's addresses, and every number that was meant and is not in them.

    `addresses` are those in the shapes, `beside` those that were not meant.
    """

    model_config = example(
        addresses=2,
        beside=11,
        points=2,
        unmatched=[{"number": "118", "reason": "ambiguous"}],
        shapes=[_DOTS],
        layer_versions=_LAYERS,
    )

    addresses: int
    beside: int
    points: int
    unmatched: list[UnmatchedNumber]
    shapes: list[dict[str, Any]]
    layer_versions: list[LayerUsed]


class FileRead(StrictModel):
    """The shapes of a file, to be used in an area; bounds are west, south, east, north."""

    model_config = example(
        shapes=[{"type": "geojson", "geometry": TRIANGLE}],
        area_km2=MEASURED["area_km2"],
        vertices=MEASURED["vertices"],
        bounds=[-72.4, 41.7, -72.3, 41.8],
    )

    shapes: list[dict[str, Any]]
    area_km2: float
    vertices: int
    bounds: tuple[float, float, float, float]


def dots(points: Sequence[tuple[float, float]], radius_m: float) -> list[dict[str, Any]]:
    """Return points as shapes of the grammar of areas: one shape, or none of no points."""
    if not points:
        return []
    spots = [list(point) for point in points]
    return [{"type": "points", "points": spots, "radius_m": radius_m}]


def layers_of(layer: Layer | None) -> list[LayerUsed]:
    """Return a layer version as answers name it."""
    if layer is None:
        return []
    return [LayerUsed(kind=layer.kind, version=layer.version, digest=layer.digest)]


def no_addresses() -> Problem:
    """Return the refusal where no layer of addresses is imported."""
    return conflict("no-address-layer", "No layer of addresses is imported.")
