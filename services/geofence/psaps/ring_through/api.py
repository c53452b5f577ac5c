"""HTTP in: how numbers rang when they were tried, and the report of what is left to be done."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, StringConstraints

from services.geofence.psaps import store as directory
from services.geofence.psaps.answers import TownName, stamp
from services.geofence.psaps.bodies import LONGEST_NOTE, At, InCode, Number
from services.geofence.psaps.boundaries import Drawings
from services.geofence.psaps.directory import NumberKind
from services.geofence.psaps.entries import EntryRefused, read_number, read_text
from services.geofence.psaps.ring_through import store
from services.geofence.psaps.ring_through.judge_compliance import (
    Compliance,
    NumberJudged,
    PsapJudged,
    judge_compliance,
)
from services.geofence.psaps.ring_through.record_test import record_test
from services.geofence.psaps.ring_through.ringing import Outcome, RingTest
from services.geofence.psaps.ring_through.write_csv import HEADER, write_csv
from shared.clock import Clock
from shared.db.session import Database
from shared.identifiers import new_id
from shared.security.principal import Principal
from shared.web.auth import require
from shared.web.errors import not_found, unprocessable
from shared.web.idempotency import Digest, Key
from shared.web.models import After, StrictModel, example

CSV = "text/csv; charset=utf-8"
_RANG = {"kind": "fallout", "number": "+18605550111", "tested_at": "2026-02-03T15:00:00Z",
         "outcome": "rang_through"}  # fmt: skip
_TEST = {**_RANG, "note": "Answered at the second ring."}
_KEPT = {**_TEST, "test_id": "019c241d-8f3b-7e60-a1c2-0d4e6f8a9b7c", "code": "1167",
         "tested_by": "psap-desk", "recorded_at": "2026-02-03T15:04:11Z"}  # fmt: skip
_REPORT = {
    "at": "2026-02-07T15:00:00Z", "within_days": 90, "compliant": False,
    "psaps": [
        {"code": "1167", "name": "Andover Regional Communications",
         "numbers": [{**_RANG, "age_days": 4, "compliant": True}], "missing": ["emergency"],
         "has_boundary": True, "towns": 1, "compliant": False},
    ],
    "towns_without_psap": [{"geoid": "0900540290", "name": "Kent"}], "boundaries_known": True,
    "psaps_without_boundary": [], "boundaries_without_psap": [],
}  # fmt: skip
_TABLE = f"""{",".join(HEADER)}\r
number,1167,Andover Regional Communications,fallout,(860) 555-0111,2026-02-03T15:00:00Z,\
rang_through,4,yes\r
missing,1167,Andover Regional Communications,emergency,,,,,no\r
town-without-psap,,Kent,,,,,,no\r
"""


class NewTest(StrictModel):
    """How a number rang when it was tried, and when that was."""

    model_config = example(**_TEST)

    kind: NumberKind
    number: Number
    tested_at: datetime
    outcome: Outcome
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)] = ""


class TestSeen(BaseModel):
    """A test as it is kept."""

    __test__ = False
    model_config = example(**_KEPT)

    test_id: UUID
    code: str
    kind: NumberKind
    number: str
    tested_at: str
    outcome: Outcome
    note: str
    tested_by: str
    recorded_at: str


class TestPage(BaseModel):
    """A page of a centre's tests, those kept last first; `after` asks for the next one."""

    model_config = example(tests=[_KEPT], after=None)

    tests: list[TestSeen]
    after: UUID | None


class NumberReport(BaseModel):
    """A number and its newest test since it has been this centre's; nulls without one."""

    kind: NumberKind
    number: str
    tested_at: str | None
    outcome: Outcome | None
    age_days: int | None
    compliant: bool


class PsapReport(BaseModel):
    """A centre's numbers, and what it lacks."""

    code: str
    name: str
    numbers: list[NumberReport]
    missing: list[str]
    has_boundary: bool | None
    towns: int
    compliant: bool


class ComplianceReport(BaseModel):
    """The whole state at a moment; `boundaries_known` false: there was no layer to compare with."""

    model_config = example(**_REPORT)

    at: str
    within_days: int
    compliant: bool
    psaps: list[PsapReport]
    towns_without_psap: list[TownName]
    boundaries_known: bool
    psaps_without_boundary: list[str] | None
    boundaries_without_psap: list[str] | None


def make_router(
    *, database: Database, clock: Clock, drawings: Drawings, within_days: int
) -> APIRouter:
    """Make the routes of ring-through tests; a test counts for `within_days`."""
    router = APIRouter(prefix="/v1/psaps", tags=["psaps"])

    @router.post("/{code}/ring-through", status_code=201)
    async def post_test(
        code: InCode,
        body: NewTest,
        response: Response,
        key: Key,
        digest: Digest,
        who: Principal = require("manager", "admin"),
    ) -> TestSeen:
        """Keep how a number rang when it was tried; with the same Idempotency-Key once."""
        test = RingTest(
            test_id=new_id(),
            code=code,
            kind=body.kind,
            number=_entry("/number", read_number, body.number),
            tested_at=body.tested_at,
            outcome=body.outcome,
            note=_entry("/note", read_text, body.note, most=LONGEST_NOTE, lines=True),
            tested_by=who.subject,
            recorded_at=clock.now(),
        )
        async with database.transaction(town=who.town) as tx:
            kept, new = await record_test(tx, test, who=who, key=key, digest=digest)
        if not new:
            response.headers["Idempotent-Replayed"] = "true"
        return _seen(kept)

    @router.get("/{code}/ring-through")
    async def get_tests(
        code: InCode,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=200, examples=[50])] = 50,
        who: Principal = require("manager", "viewer", "admin"),
    ) -> TestPage:
        """List a centre's tests, those kept last first."""
        async with database.transaction() as tx:
            if not await directory.periods(tx, code):
                raise not_found("The directory has no such code.")
            page = await store.tests_of(tx, code, before=after, limit=limit)
        return TestPage(
            tests=[_seen(one) for one in page],
            after=page[-1].test_id if len(page) == limit else None,
        )

    @router.get(
        "/compliance",
        response_model=ComplianceReport,
        responses={
            200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": _TABLE}}}
        },
    )
    async def get_compliance(
        at: At = None,
        format: Annotated[Literal["json", "csv"], Query(examples=["csv"])] = "json",
        who: Principal = require("manager", "viewer", "admin"),
    ) -> Any:
        """Report which numbers are known to ring straight through, and what is missing."""
        async with database.transaction() as tx:
            report = await judge_compliance(
                tx, at=at or clock.now(), within_days=within_days, drawings=drawings
            )
        if format == "csv":
            name = f"psap-compliance-{report.at:%Y-%m-%d}.csv"
            return Response(
                write_csv(report),
                media_type=CSV,
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
        return _report(report)

    return router


def _entry(pointer: str, read: Any, raw: str, **how: Any) -> str:
    try:
        return str(read(raw, **how))
    except EntryRefused as error:
        raise unprocessable(error.code, error.detail, pointer=pointer) from None


def _seen(test: RingTest) -> TestSeen:
    times = {"tested_at": stamp(test.tested_at), "recorded_at": stamp(test.recorded_at)}
    return TestSeen.model_validate(
        {name: getattr(test, name) for name in TestSeen.model_fields} | times
    )


def _report(report: Compliance) -> ComplianceReport:
    known = report.boundaries_known
    return ComplianceReport(
        at=stamp(report.at),
        within_days=report.within_days,
        compliant=report.compliant,
        psaps=[_psap(one) for one in report.psaps],
        towns_without_psap=[
            TownName(geoid=one.geoid, name=one.name) for one in report.towns_without_psap
        ],
        boundaries_known=known,
        psaps_without_boundary=[one.code for one in report.psaps if not one.has_boundary]
        if known
        else None,
        boundaries_without_psap=list(report.boundaries_without_psap) if known else None,
    )


def _psap(one: PsapJudged) -> PsapReport:
    return PsapReport(
        code=one.code,
        name=one.name,
        numbers=[_number(number) for number in one.numbers],
        missing=list(one.missing),
        has_boundary=one.has_boundary,
        towns=one.towns,
        compliant=one.compliant,
    )


def _number(one: NumberJudged) -> NumberReport:
    return NumberReport(
        kind=one.kind,
        number=one.number,
        tested_at=stamp(one.test.tested_at) if one.test else None,
        outcome=one.test.outcome if one.test else None,
        age_days=one.age_days,
        compliant=one.compliant,
    )
