"""An address as it is looked for, and as the layer knows it."""

from dataclasses import dataclass
from typing import TypeAlias

# Number, street, town, postal code; without a number the whole street is meant.
Wanted: TypeAlias = tuple[str | None, str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Address:
    """An address point as the file gave it, in degrees WGS 84; empty text is not known."""

    number: str
    street: str
    unit: str
    town: str
    postal: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for one wanted address; `more` where it was cut off.

    `otherwise` are those on streets whose names are written otherwise and may be the same.
    """

    addresses: tuple[Address, ...]
    more: bool = False
    otherwise: tuple[Address, ...] = ()
