"""Reads an address that is written in one line; what it says must not contradict itself."""

import re
from dataclasses import dataclass

from services.geofence.layers.formats.addresses.streets import alike_postal, alike_town

# `12`, `12A`, `12-14`, `12 1/2` or that with one sign, then the street.
_NUMBERED = re.compile(
    r"(\d+(?:-\d+)?(?:\s+\d/\d|\s*[\u00bc-\u00be\u2150-\u215e])?[A-Za-z]?)\s+(\S.*)"
)
# What stands behind the street: `Apt 4`, `Unit 3B`, `# 7`, `2nd floor`. What it is called is one
# letter or holds a digit, and is no postal code, or a town would go with it; `FL` alone and before
# a postal code is a state.
_UNIT = re.compile(
    r"""[\s,]+(?:
        (?:apt|apartment|unit|ste|suite|floor|rm|room|bldg|building)
            (?:\.?\s*\#?\s*(?=\S*\d)|\.?\s+\#?\s*(?=[a-z]$)) (?!\d{5}(?:-\d{4})?$)\S+
        | \#\s* (?!\d{5}(?:-\d{4})?$) (?:\S*\d\S*|[a-z])
        | fl\.?\s* \d{1,3}[a-z]?
        | (?:\d{1,3}(?:st|nd|rd|th)?|first|second|third|fourth|ground|top)\s+(?:floor|fl\b\.?)
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
_COUNTRY = {"us", "usa", "united states"}
# What stands behind the last comma: `Hartford CT 06103`, or some of it.
_PLACE = re.compile(
    r"(?P<town>.*?)\s*\b(?:(?:CT|Conn|Connecticut)\b\.?)?\s*(?P<postal>\d{5}(?:-\d{4})?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says; empty texts are not given."""

    number: str = ""
    street: str = ""
    town: str = ""
    postal: str = ""


def read_line(address: str) -> Line | None:
    """Return what `12 Main St Apt 3, Hartford, CT 06103` says, None where it says two things."""
    # One space at a time, or the patterns would try every part of a long gap.
    first, *others = (_without_unit(" ".join(piece.split())) for piece in address.split(","))
    town = postal = ""
    for piece in others:
        if not piece or piece.casefold() in _COUNTRY:
            continue
        if _NUMBERED.fullmatch(piece):
            return None
        place = _PLACE.fullmatch(piece)
        its_town, its_postal = (place["town"], place["postal"] or "") if place else (piece, "")
        if town and its_town and alike_town(town) != alike_town(its_town):
            return None
        if postal and its_postal and alike_postal(postal) != alike_postal(its_postal):
            return None
        town, postal = town or its_town, postal or its_postal
    match = _NUMBERED.fullmatch(first)
    number, street = match.groups() if match else ("", first)
    return Line(number, street, town, postal)


def _without_unit(piece: str) -> str:
    """Return a piece without the units at its end, which may be all of it."""
    left = f" {piece}"
    while (found := _UNIT.search(left)) is not None:
        left = left[: found.start()]
    return left.strip()
