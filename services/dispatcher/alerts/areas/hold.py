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
_SHAPE = re.compile(r"/area/(include|exclude|beside)/([0-9]+)(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Hold:
    """Why an area is held, as a short code, and the geocodes that nobody could resolve.

    `beside` are the geocodes beside its shapes, and of each whether it is known.
    """

    reason: str
    codes: tuple[str, ...] = ()
    beside: tuple[Mapping[str, Any], ...] = ()

    @property
    def answer(self) -> dict[str, Any] | None:
        """Return what is kept of the geofence's answer with an alert that has no area."""
        return {"beside": list(self.beside)} if self.beside else None

    def call(self, row: RowMapping) -> dict[str, str]:
        """Return with which words, key and cause a person is called to an alert held by this."""
        alert_id = row["alert_id"]
        return {
            "reason": f"a partner's alert {alert_id} is held for an area: {self.reason}",
            "key": f"hold:{alert_id}:area",
            # A sender that errs in every message must not drown everything else.
            "cause": f"hold:{row['created_by']}:{self.reason}",
        }


def hold_of(refused: Problem, request: Mapping[str, Any]) -> Hold:
    """Return the hold that a refused area comes to, with the codes its faults point at."""
    return Hold(
        refused.slug, tuple(dict.fromkeys(_codes(refused, request))), _beside(refused, request)
    )


def _beside(refused: Problem, request: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return which codes beside shapes are known: a refusal for a code names every unknown one."""
    if refused.slug not in UNRESOLVED:
        return ()
    found = (_SHAPE.fullmatch(fault.pointer) for fault in refused.errors)
    lost = {int(at[2]) for at in found if at and at[1] == "beside"}
    return tuple(
        {"scheme": one["scheme"], "value": one["value"], "known": number not in lost}
        for number, one in enumerate(request.get("beside", ()))
    )


def _codes(refused: Problem, request: Mapping[str, Any]) -> list[str]:
    # What is beyond the State is named as unknown too, but holds nothing.
    held = (fault for fault in refused.errors if fault.code != "beyond-state")
    found = (_SHAPE.fullmatch(fault.pointer) for fault in held)
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
