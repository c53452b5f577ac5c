"""What an area is made of: shapes as a caller writes them, each with its place in the request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar
from uuid import UUID

from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True, slots=True)
class Sketch:
    """A GeoJSON geometry that nobody has looked into yet."""

    geometry: object
    pointer: str


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle: centre in degrees WGS 84, radius in metres."""

    lon: float
    lat: float
    radius_m: float
    pointer: str


@dataclass(frozen=True, slots=True)
class Dots:
    """Points (lon, lat in degrees WGS 84) with the same radius in metres around each."""

    points: tuple[tuple[float, float], ...]
    radius_m: float
    pointer: str


@dataclass(frozen=True, slots=True)
class Named:
    """A feature of a layer by its code or its name, one of them; the version in force if none."""

    kind: str
    code: str | None
    name: str | None
    pointer: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Coded:
    """A geocode: SAME, FIPS6, UGC, FIPS or TOWN."""

    scheme: str
    value: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved area; its newest version if none is named."""

    saved_area_id: UUID
    version: int | None
    pointer: str


@dataclass(frozen=True, slots=True)
class Given:
    """The geometries that one side of a request names: of layers, and of saved areas."""

    features: tuple[BaseGeometry, ...] = ()
    saved: tuple[BaseGeometry, ...] = ()


NOTHING = Given()

Own: TypeAlias = Sketch | Circle | Dots
Known: TypeAlias = Named | Coded | Saved
Shape: TypeAlias = Own | Known
_Kind = TypeVar("_Kind", Sketch, Circle, Dots, Named, Coded, Saved)


@dataclass(frozen=True, slots=True)
class Request:
    """What is meant: all of `include` without what lies inside `exclude`.

    `beside` are geocodes that the shapes stand for: nothing of theirs is added.
    """

    include: tuple[Shape, ...]
    exclude: tuple[Shape, ...] = ()
    beside: tuple[Coded, ...] = ()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Return every shape that makes the area, included ones first."""
        return self.include + self.exclude


def of_kind(shapes: Sequence[Shape], kind: type[_Kind]) -> Iterator[_Kind]:
    """Yield the shapes of one kind."""
    return (shape for shape in shapes if isinstance(shape, kind))
