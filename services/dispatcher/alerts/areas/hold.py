"""Why an alert is held for a person to give it an area, and what is refused meanwhile."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping

from shared.web.errors import Problem, conflict

# What nobody here can turn into places, though it may well mean some: never dropped, never
# widened (C10, C17).
UNRESOLVED = frozenset({"unknown-geocode", "unknown-layer", "incomplete-layer"})
_SHAPE = re.compile(r"/area/(include|exclude)/([0-9]+)(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Hold:
    """Why an area is held, as a short code, and the geocodes that nobody could resolve."""

    reason: str
    codes: tuple[str, ...] = ()


def hold_of(refused: Problem, request: Mapping[str, Any]) -> Hold:
    """Return the hold that a refused area comes to, with the codes its faults point at."""
    return Hold(refused.slug, tuple(dict.fromkeys(_codes(refused, request))))


def _codes(refused: Problem, request: Mapping[str, Any]) -> list[str]:
    found = (_SHAPE.fullmatch(fault.pointer) for fault in refused.errors)
    shapes = [request[at[1]][int(at[2])] for at in found if at and at[1] in request]
    return [
        label(shape["scheme"], shape["value"]) for shape in shapes if shape["type"] == "geocode"
    ]


def label(scheme: str, value: str) -> str:
    """Return how a geocode is called among people: its scheme and its value."""
    return f"{scheme} {value}"


def refuse_held(row: RowMapping) -> None:
    """Refuse to go on with an alert that waits for a person to give it an area.

    Raises:
        Problem: 409 where it is held.
    """
    if row["area_hold"] is not None:
        detail = f"The alert is held until somebody gives it an area: {row['area_hold']}."
        raise conflict("area-held", detail)
