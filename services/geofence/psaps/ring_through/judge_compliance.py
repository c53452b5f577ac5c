"""Judge which numbers are known to ring straight through, and what the directory still lacks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.geofence.psaps import store as directory
from services.geofence.psaps.boundaries import Drawings
from services.geofence.psaps.directory import NumberKind, Period
from services.geofence.psaps.ring_through import store
from services.geofence.psaps.ring_through.ringing import RANG_THROUGH, RingTest, number_since
from shared.connecticut import Town, towns
from shared.db.session import Tx

Missing = Literal["fallout", "emergency", "police", "interpreter"]
KINDS: tuple[NumberKind, ...] = ("fallout", "emergency")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NumberJudged:
    """A number, its newest test since it has been this centre's, and its age in whole days."""

    kind: NumberKind
    number: str
    test: RingTest | None
    age_days: int | None
    compliant: bool


@dataclass(frozen=True, slots=True)
class PsapJudged:
    """A centre's numbers and what it lacks; `has_boundary` None where no layer is known."""

    code: str
    name: str
    numbers: tuple[NumberJudged, ...]
    missing: tuple[Missing, ...]
    has_boundary: bool | None
    towns: int

    @property
    def compliant(self) -> bool:
        """Say whether every number rings through and nothing is missing."""
        complete = not self.missing and self.has_boundary is True and self.towns > 0
        return complete and all(one.compliant for one in self.numbers)


@dataclass(frozen=True, slots=True)
class Compliance:
    """The whole state at a moment; a test counts for `within_days`."""

    at: datetime
    within_days: int
    psaps: tuple[PsapJudged, ...]
    towns_without_psap: tuple[Town, ...]
    boundaries_known: bool
    boundaries_without_psap: tuple[str, ...]

    @property
    def compliant(self) -> bool:
        """Say whether nothing at all is left to be done."""
        whole = self.boundaries_known and not self.boundaries_without_psap
        return whole and not self.towns_without_psap and all(one.compliant for one in self.psaps)


async def judge_compliance(
    tx: Tx, *, at: datetime, within_days: int, drawings: Drawings
) -> Compliance:
    """Judge the directory of a moment by the tests made until then."""
    boundaries = await drawings.at(tx, "psap", at)
    drawn = None if boundaries is None else frozenset(boundaries.codes)
    served = await directory.towns_at(tx, at)
    newest: dict[str, list[RingTest]] = {}
    for test in await store.newest_tests(tx, at):
        newest.setdefault(test.code, []).append(test)
    histories = await directory.periods_by_code(tx)
    psaps = []
    for period in await directory.periods_at(tx, at):
        numbers = _numbers(
            histories[period.code],
            period,
            newest.get(period.code, []),
            at=at,
            within=within_days * _DAY,
        )
        psaps.append(
            PsapJudged(
                period.code,
                period.entry.name,
                numbers,
                _missing(period),
                None if drawn is None else period.code in drawn,
                sum(one.code == period.code for one in served),
            )
        )
    with_psap = {one.town for one in served}
    known = {one.code for one in psaps}
    return Compliance(
        at,
        within_days,
        tuple(psaps),
        tuple(town for town in towns() if town.geoid not in with_psap),
        drawn is not None,
        tuple(sorted((drawn or frozenset()) - known)),
    )


def _numbers(
    periods: list[Period],
    period: Period,
    tests: list[RingTest],
    *,
    at: datetime,
    within: timedelta,
) -> tuple[NumberJudged, ...]:
    newest = {(test.kind, test.number): test for test in tests}
    judged = []
    for kind in KINDS:
        for number in period.entry.numbers(kind):
            test = newest.get((kind, number))
            since = number_since(periods, kind=kind, number=number, at=at)
            if test and (since is None or test.tested_at < since):
                test = None
            age = at - test.tested_at if test else None
            judged.append(
                NumberJudged(
                    kind,
                    number,
                    test,
                    None if age is None else age // _DAY,
                    test is not None
                    and test.outcome == RANG_THROUGH
                    and age is not None
                    and age <= within,
                )
            )
    return tuple(judged)


def _missing(period: Period) -> tuple[Missing, ...]:
    entry = period.entry
    found: list[tuple[Missing, object]] = [
        ("fallout", entry.fallout_numbers),
        ("emergency", entry.emergency_numbers),
        ("police", entry.police),
        ("interpreter", entry.interpreter),
    ]
    return tuple(name for name, there in found if not there)
