"""Which geocodes of a message are asked about, refused, or left to a person; none is guessed.

The geofence says what a code stands for, through its layers. Here only what can be no code is
refused, and what belongs to a scheme that nobody here knows is set aside for a person.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from services.dispatcher.alerts.areas.hold import label

WHOLE_COUNTRY = "000000"
# Names of schemes as messages write them, and as the geofence does.
_SCHEMES = {
    "SAME": "SAME", "FIPS6": "FIPS6", "UGC": "UGC", "FIPS": "FIPS", "GEOID": "FIPS", "TOWN": "TOWN",
}  # fmt: skip
_FORMS = {
    "SAME": re.compile(r"[0-9]([0-9]{2})[0-9]{3}", re.ASCII),
    "FIPS6": re.compile(r"[0-9]([0-9]{2})[0-9]{3}", re.ASCII),
    "UGC": re.compile(r"[A-Z]{2}[CZ][0-9]{3}", re.ASCII),
    "FIPS": re.compile(r"([0-9]{2})[0-9]{3,8}", re.ASCII),
    "TOWN": re.compile(r"\S.*"),
}
# Numbers that FIPS 5-2 gives to no state, and the NWS to no water.
_NOWHERE = frozenset({"00", "03", "07", "14", "43", "52", "99"})
LONGEST = 100


class GeocodeRefused(Exception):
    """A geocode we do not act on: an HTTP status, a code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence


@dataclass(slots=True)
class Geocodes:
    """What is asked of the geofence, as shapes, and codes of schemes that nobody here knows."""

    shapes: list[dict[str, Any]] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)

    @property
    def all(self) -> list[dict[str, Any]]:
        """Return every code as the geofence is asked about it."""
        return [*self.shapes, *self.others]

    @property
    def unknown(self) -> list[str]:
        """Return how the codes of other schemes are called among people."""
        return [label(one["scheme"], one["value"]) for one in self.others]

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take (valueName, value) of one area.

        Raises:
            GeocodeRefused: one that can be no code, or the whole country.
        """
        for name, value in pairs:
            scheme = _SCHEMES.get(name.strip().upper())
            if scheme is None:
                self._add_unknown(name, value)
                continue
            _check_form(scheme, value)
            _add(self.shapes, scheme, value)

    def _add_unknown(self, name: str, value: str) -> None:
        if not name or not value or len(name) > LONGEST or len(value) > LONGEST:
            raise _unusable()
        _add(self.others, name, value)


def _add(shapes: list[dict[str, Any]], scheme: str, value: str) -> None:
    shape = {"type": "geocode", "scheme": scheme, "value": value}
    if shape not in shapes:
        shapes.append(shape)


def _check_form(scheme: str, value: str) -> None:
    if scheme in ("SAME", "FIPS6") and value[1:] == WHOLE_COUNTRY[1:]:
        raise GeocodeRefused(403, "whole-country", "000000 is the whole country.")
    found = _FORMS[scheme].fullmatch(value)
    if found is None or len(value) > LONGEST:
        raise _unusable()
    if found.re.groups and found[1] in _NOWHERE:
        raise _unusable()


def _unusable() -> GeocodeRefused:
    return GeocodeRefused(422, "unknown-geocode", "This can be no place's code.")
