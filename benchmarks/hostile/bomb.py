"""A bomb: where it is posted, its body, and what may be answered."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

PREVIEW = "/v1/areas/preview"
JSON = "application/json"
Shape: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bomb:
    """Its name, statuses, and what makes its body when its turn comes.

    A status of 200 is among those of areas that are within every cap and have to be quick.
    """

    name: str
    statuses: frozenset[int]
    body: Callable[[], bytes]
    path: str = PREVIEW
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    role: str = "manager"


def area(include: Sequence[object], exclude: Sequence[object] | None = None) -> bytes:
    """Return the body that asks for shapes less others."""
    wanted: dict[str, object] = {"include": include}
    if exclude is not None:
        wanted["exclude"] = exclude
    return json.dumps({"area": wanted}, separators=(",", ":")).encode()


def drawn(kind: str, coordinates: object) -> Shape:
    """Return a shape drawn as a geometry of this type."""
    return {"type": "geojson", "geometry": {"type": kind, "coordinates": coordinates}}
