"""What the directory answers; who may see only emergency numbers gets nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel

from services.geofence.psaps.bodies import RECORD
from services.geofence.psaps.boundaries import Boundaries
from services.geofence.psaps.directory import Period, Served
from services.geofence.psaps.find_psaps import Found
from shared.connecticut import town_by_geoid
from shared.security.principal import Principal
from shared.web.models import example

STAFF = frozenset({"manager", "viewer", "admin"})

ANDOVER = {"geoid": "0901301080", "name": "Andover"}
_AT = "2026-02-03T15:00:00Z"
_PERIOD: dict[str, Any] = {
    **RECORD, "code": "1167", "valid_until": None,
    "interpreter": {**RECORD["interpreter"], "limit": "Only for 9-1-1 calls.", "note": ""},
}  # fmt: skip
_PSAP = {**_PERIOD, "towns": [ANDOVER]}
_KEPT = {"revision": 1, "superseded": False, "recorded_at": "2025-12-15T15:00:00Z",
         "recorded_by": "psap-desk"}  # fmt: skip
_RECORD = {**_PERIOD, "ended": False, "consolidated_into": None, **_KEPT}
_SERVED = {"town": ANDOVER, "code": "1167", "valid_from": RECORD["valid_from"],
           "valid_until": None, **_KEPT}  # fmt: skip
_CANDIDATE = {"code": "1167", "boundary": "inside", "share_of_town": None, "by_town": True,
              "psap": _PSAP}  # fmt: skip
LAYER = {"kind": "psap", "version": 2, "since": "2026-01-05T14:00:00Z"}
FOUND = {"at": _AT, "candidates": [_CANDIDATE], "agree": True, "on_edge": False,
         "towns": [ANDOVER], "layers": [LAYER]}  # fmt: skip
PAGE = {"at": _AT, "psaps": [_PSAP], "after": None}


class TownName(BaseModel):
    """A town by its geoid and name."""

    geoid: str
    name: str


class LayerUsed(BaseModel):
    """The layer version that was in force at the asked time, and since when."""

    kind: str
    version: int
    since: str


class PoliceSeen(BaseModel):
    """A routine number of the police."""

    kind: str
    label: str
    number: str


class InterpreterSeen(BaseModel):
    """The interpreters' line; `limit` says in words what it is there for."""

    number: str
    only_for_9_1_1_calls: bool
    limit: str
    note: str


class PsapSeen(BaseModel):
    """A centre as it was at the asked time; partners see emergency numbers only."""

    model_config = example(**_PSAP)

    code: str
    name: str
    valid_from: str
    valid_until: str | None
    emergency_numbers: list[str]
    towns: list[TownName] = []
    fallout_numbers: list[str] = []
    police: PoliceSeen | None = None
    interpreter: InterpreterSeen | None = None


class CandidateSeen(BaseModel):
    """A centre that may be meant, and by what: its boundary, its towns, or both."""

    code: str
    boundary: Literal["inside", "edge", "whole", "part"] | None
    share_of_town: float | None
    by_town: bool
    psap: PsapSeen | None


class PsapsFound(BaseModel):
    """The candidates for a point or town; `agree` false: boundary and town say different things.

    With `agree` null only one of them is known at that time.
    """

    model_config = example(**FOUND)

    at: str
    candidates: list[CandidateSeen]
    agree: bool | None
    on_edge: bool
    towns: list[TownName]
    layers: list[LayerUsed]


class PsapPage(BaseModel):
    """A page of the directory as it was at a moment; `after` asks for the next one."""

    model_config = example(**PAGE)

    at: str
    psaps: list[PsapSeen]
    after: str | None


class RecordSeen(PsapSeen):
    """One record of a centre, and who kept it when; `superseded` by a correction."""

    model_config = example(**_RECORD)

    ended: bool
    consolidated_into: str | None
    revision: int
    superseded: bool
    recorded_at: str
    recorded_by: str


class ServedSeen(BaseModel):
    """One row by which a town was given to a centre."""

    town: TownName
    code: str
    valid_from: str
    valid_until: str | None
    revision: int
    superseded: bool
    recorded_at: str
    recorded_by: str


class History(BaseModel):
    """All that was ever said of a centre, oldest first."""

    model_config = example(code="1167", records=[_RECORD], towns=[_SERVED])

    code: str
    records: list[RecordSeen]
    towns: list[ServedSeen]


class TownsServed(BaseModel):
    """What holds for towns from a moment on."""

    model_config = example(towns=[_SERVED])

    towns: list[ServedSeen]


class Consolidated(BaseModel):
    """The centre that ends, the one that takes over, and the towns that go with it."""

    model_config = example(
        code="1166", into="1167", valid_from=RECORD["valid_from"], towns=[_SERVED]
    )

    code: str
    into: str
    valid_from: str
    towns: list[ServedSeen]


def written(moment: datetime | None) -> str | None:
    """Write a moment in UTC, to the microsecond where it has any."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def stamp(moment: datetime) -> str:
    """Write a moment that is there."""
    return written(moment) or ""


def name_town(geoid: str) -> TownName:
    """Name a town by its geoid."""
    town = town_by_geoid(geoid)
    return TownName(geoid=geoid, name=town.name if town else geoid)


def see_psap(period: Period, towns: Iterable[Served], *, who: Principal) -> PsapSeen:
    """Show a centre as far as somebody may see it."""
    seen = _psap(period, staff=bool(who.roles & STAFF))
    return PsapSeen.model_validate({**seen, "towns": [name_town(one.town) for one in towns]})


def see_record(period: Period) -> RecordSeen:
    """Show a record with who kept it."""
    return RecordSeen.model_validate(
        {
            **_psap(period, staff=True),
            "ended": period.ended,
            "consolidated_into": period.consolidated_into,
            "revision": period.revision,
            "superseded": period.superseded,
            "recorded_at": stamp(period.recorded_at),
            "recorded_by": period.recorded_by,
        }
    )


def see_served(rows: Iterable[Served]) -> list[ServedSeen]:
    """Show rows of towns."""
    return [
        ServedSeen(
            town=name_town(one.town),
            code=one.code,
            valid_from=stamp(one.valid_from),
            valid_until=written(one.valid_until),
            revision=one.revision,
            superseded=one.superseded,
            recorded_at=stamp(one.recorded_at),
            recorded_by=one.recorded_by,
        )
        for one in rows
    ]


def see_found(found: Found, towns: Mapping[str, Sequence[Served]], *, who: Principal) -> PsapsFound:
    """Show the candidates of a point or town; `towns` are those of each code."""
    return PsapsFound(
        at=stamp(found.at),
        candidates=[
            CandidateSeen(
                code=one.code,
                boundary=one.way.how if one.way else None,
                share_of_town=one.way.share if one.way else None,
                by_town=one.by_town,
                psap=see_psap(one.period, towns.get(one.code, ()), who=who) if one.period else None,
            )
            for one in found.candidates
        ],
        agree=found.agree,
        on_edge=found.on_edge,
        towns=[TownName(geoid=one.geoid, name=one.name) for one in found.towns],
        layers=[see_layer(one) for one in (found.psap_layer, found.town_layer) if one],
    )


def see_layer(layer: Boundaries) -> LayerUsed:
    """Show which layer version was used."""
    return LayerUsed(kind=layer.kind, version=layer.version, since=stamp(layer.since))


def _psap(period: Period, *, staff: bool) -> dict[str, Any]:
    entry = period.entry
    seen: dict[str, Any] = {
        "code": period.code,
        "name": entry.name,
        "valid_from": stamp(period.valid_from),
        "valid_until": written(period.valid_until),
        "emergency_numbers": list(entry.emergency_numbers),
    }
    if not staff:
        return seen
    police, line = entry.police, entry.interpreter
    seen["fallout_numbers"] = list(entry.fallout_numbers)
    seen["police"] = police and PoliceSeen(
        kind=police.kind, label=police.label, number=police.number
    )
    seen["interpreter"] = line and InterpreterSeen(
        number=line.number,
        only_for_9_1_1_calls=line.only_for_9_1_1_calls,
        limit="Only for 9-1-1 calls." if line.only_for_9_1_1_calls else "",
        note=line.note,
    )
    return seen
