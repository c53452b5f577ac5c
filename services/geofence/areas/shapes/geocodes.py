"""What a geocode stands for in Connecticut: towns, or one feature of a layer; nothing is guessed.

Counties and planning regions stand for their towns and for nothing else, so that the old and the
new divisions can never be taken for one another by their outlines. Codes of five digits are
divisions: 09190 is the Western planning region, although a town's own part of its code is the same.
"""

import re
from dataclasses import dataclass

from shared.connecticut import COUNTIES, PLANNING_REGIONS, Town, town_by_geoid, town_by_name, towns

SCHEMES = ("SAME", "FIPS6", "UGC", "FIPS", "TOWN")
STATE = "09"
# 47 CFR 11.31: PSSCCC, part of the county (0 is all of it), state, county (000 is all of them).
_SAME = re.compile(r"([0-9])([0-9]{2})([0-9]{3})", re.ASCII)
# NWS Directive 10-1702: state or water, C for a county or Z for a forecast zone, number.
_UGC = re.compile(r"([A-Z]{2})([CZ])([0-9]{3})", re.ASCII)
_DIVISIONS = frozenset(one.fips for one in (*COUNTIES, *PLANNING_REGIONS))
# What layers of each call their features beside the bare name.
_OF_KIND = {
    "county": (COUNTIES, " county"),
    "planning_region": (PLANNING_REGIONS, " planning region"),
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """Towns of the town layer, or else one feature of a layer by its kind and code."""

    towns: tuple[Town, ...] = ()
    kind: str | None = None
    code: str | None = None


class WholeCountry(Exception):
    """000000: nobody here may warn the United States."""


def meaning_of(scheme: str, value: str) -> Meaning | None:
    """Return what a geocode stands for, or None where nobody knows.

    Raises:
        WholeCountry: it is SAME's code of the whole country.
    """
    if scheme in ("SAME", "FIPS6"):
        return _of_same(value)
    if scheme == "UGC":
        return _of_ugc(value)
    if scheme == "FIPS":
        return _division(value) or _town(town_by_geoid(_geoid(value)))
    if scheme == "TOWN":
        return _town(town_by_geoid(_geoid(value)) or town_by_name(value))
    return None


def divisions_of(kind: str, *, code: str | None, name: str | None) -> tuple[str, ...]:
    """Return the codes of a kind's counties or planning regions of a code, or of a name."""
    divisions, suffix = _OF_KIND.get(kind, ((), ""))
    bare = (name or "").casefold().removesuffix(suffix)
    return tuple(one.fips for one in divisions if code == one.fips or bare == one.name.casefold())


def towns_of(kind: str, code: str) -> tuple[Town, ...]:
    """Return the towns that a feature of a layer stands for, none where it stands for itself.

    A layer of counties may hold the planning regions, as the Census draws it since 2022.
    """
    meaning = _division(code) if kind in _OF_KIND else None
    return meaning.towns if meaning else ()


def _of_same(value: str) -> Meaning | None:
    found = _SAME.fullmatch(value)
    if found is None:
        return None
    part, state, county = found.groups()
    if (state, county) == ("00", "000"):
        raise WholeCountry
    if part == "0" and state == STATE:
        if county == "000":
            return Meaning(towns=towns())
        known = _division(state + county)
        if known is not None:
            return known
    # Parts of counties and other states' codes are known only where somebody has imported them.
    return Meaning(kind="same", code=value)


def _of_ugc(value: str) -> Meaning | None:
    found = _UGC.fullmatch(value)
    if found is None:
        return None
    state, what, number = found.groups()
    if what == "Z":
        return Meaning(kind="nws_zone", code=value)
    if state == "CT":
        return _division(STATE + number)
    return None


def _division(fips: str) -> Meaning | None:
    if fips not in _DIVISIONS:
        return None
    return Meaning(towns=tuple(one for one in towns() if fips in (one.county, one.region)))


def _geoid(value: str) -> str:
    """Return the geoid of a code that leaves the county out, as the Census writes places."""
    if len(value) == 7 and value.startswith(STATE):
        return _BY_SUBDIVISION.get(value[2:], value)
    return value


def _town(town: Town | None) -> Meaning | None:
    return None if town is None else Meaning(towns=(town,))


_BY_SUBDIVISION = {one.geoid[5:]: one.geoid for one in towns()}
