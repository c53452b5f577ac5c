"""What changes of the directory say: read strictly, each fault with its place."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from services.geofence.psaps.directory import Entry, Interpreter, Police
from services.geofence.psaps.entries import EntryRefused, read_number, read_text
from shared.web.errors import Fault, Problem, unprocessable
from shared.web.models import StrictModel, example

LONGEST_NAME = 200
LONGEST_NOTE = 500
# The first 9-1-1 call was made in 1968; nobody plans a centre further ahead than this.
EARLIEST = datetime(1968, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(days=5 * 366)

# Printable ASCII without a slash, which would part an address; no space at either end.
CODE = r"^[!-.0-~]([ -.0-~]{0,62}[!-.0-~])?$"
Code = Annotated[str, StringConstraints(pattern=CODE, max_length=64)]
Number = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Numbers = Annotated[list[Number], Field(max_length=10, default_factory=list)]
Geoid = Annotated[str, StringConstraints(pattern=r"^[0-9]{10}$")]


def _exact(value: Any) -> Any:
    # Pydantic would read digits as seconds since 1970.
    if not isinstance(value, str) or "T" not in value.upper():
        raise PydanticCustomError("datetime_type", "a date and time as RFC 3339 writes it")
    return value


def _in_range(moment: datetime) -> datetime:
    if not 1900 <= moment.year <= 2200:
        raise PydanticCustomError("out_of_range", "a time of these centuries")
    return moment.astimezone(UTC)


# A moment in a query; in bodies the model sees to it.
_Moment = Annotated[AwareDatetime, BeforeValidator(_exact), AfterValidator(_in_range)]
At = Annotated[_Moment | None, Query(examples=["2026-02-03T15:00:00Z"])]
InCode = Annotated[str, Path(pattern=CODE, max_length=64, examples=["1167"])]

RECORD: dict[str, Any] = {
    "valid_from": "2026-01-01T05:00:00Z",
    "name": "Andover Regional Communications",
    "fallout_numbers": ["+18605550111"],
    "emergency_numbers": ["+18605550112", "+18605550113"],
    "police": {"kind": "state_police_troop", "label": "Troop K", "number": "+18605550114"},
    "interpreter": {"number": "+18605550115", "only_for_9_1_1_calls": True},
}


class PoliceLine(StrictModel):
    """The routine number of the local police or of a Troop of the State Police."""

    kind: Literal["local_police", "state_police_troop"]
    label: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
    number: Number


class InterpreterLine(StrictModel):
    """The interpreters' line, and whether it may be used for 9-1-1 calls only."""

    number: Number
    only_for_9_1_1_calls: bool
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)] = ""


class NewRecord(StrictModel):
    """What holds for a centre from a moment on, whole: what is left out is not there."""

    model_config = example(**RECORD)

    valid_from: datetime
    name: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
    # For calls that NG911 cannot deliver.
    fallout_numbers: Numbers
    # For other centres, alarm companies and carriers.
    emergency_numbers: Numbers
    police: PoliceLine | None = None
    interpreter: InterpreterLine | None = None


class NewPsap(NewRecord):
    """A centre that is new to the directory, with the towns it serves from then on."""

    model_config = example(code="1167", **RECORD, towns=["0901301080"])

    code: Code
    towns: Annotated[list[Geoid], Field(max_length=169, default_factory=list)]


class NewTowns(StrictModel):
    """Towns that belong to the centre from a moment on."""

    model_config = example(valid_from="2026-01-01T05:00:00Z", towns=["0901301080"])

    valid_from: datetime
    towns: Annotated[list[Geoid], Field(min_length=1, max_length=169)]


class NewConsolidation(StrictModel):
    """The centre that takes over, and when."""

    model_config = example(into="1168", valid_from="2026-07-01T04:00:00Z")

    into: Code
    valid_from: datetime


def check_moment(moment: datetime, *, now: datetime, pointer: str = "/valid_from") -> None:
    """Refuse a moment before there was any 9-1-1, or further ahead than anybody plans.

    Raises:
        Problem: 422 with its place.
    """
    if not EARLIEST <= moment <= now + FURTHEST_AHEAD:
        raise unprocessable("out-of-range", "This moment cannot be meant.", pointer=pointer)


def read_entry(body: NewRecord) -> Entry:
    """Read what is said of a centre.

    Raises:
        Problem: 422 with the place of each entry that cannot be used.
    """
    faults: list[Fault] = []

    def number(raw: str, pointer: str, *, toll_free: bool = False) -> str:
        try:
            return read_number(raw, toll_free=toll_free)
        except EntryRefused as error:
            faults.append(Fault(pointer, error.code, error.detail))
            return ""

    def text(raw: str, pointer: str, *, most: int, needed: bool = True) -> str:
        try:
            read = read_text(raw, most=most)
        except EntryRefused as error:
            faults.append(Fault(pointer, error.code, error.detail))
            return ""
        if needed and not read:
            faults.append(Fault(pointer, "required"))
        return read

    def numbers(raw: Sequence[str], pointer: str) -> tuple[str, ...]:
        read = [number(one, f"{pointer}/{at}") for at, one in enumerate(raw)]
        faults.extend(
            Fault(f"{pointer}/{at}", "duplicate")
            for at, one in enumerate(read)
            if one and one in read[:at]
        )
        return tuple(read)

    name = text(body.name, "/name", most=LONGEST_NAME)
    fallout = numbers(body.fallout_numbers, "/fallout_numbers")
    emergency = numbers(body.emergency_numbers, "/emergency_numbers")
    police = interpreter = None
    if body.police:
        police = Police(
            body.police.kind,
            text(body.police.label, "/police/label", most=LONGEST_NAME),
            # Nobody calls these in an emergency: Troops and language lines have toll-free numbers.
            number(body.police.number, "/police/number", toll_free=True),
        )
    if body.interpreter:
        interpreter = Interpreter(
            number(body.interpreter.number, "/interpreter/number", toll_free=True),
            body.interpreter.only_for_9_1_1_calls,
            text(body.interpreter.note, "/interpreter/note", most=LONGEST_NOTE, needed=False),
        )
    if faults:
        raise Problem(422, "entry-refused", "Some of what is said cannot be kept.", errors=faults)
    return Entry(name, fallout, emergency, police, interpreter)
