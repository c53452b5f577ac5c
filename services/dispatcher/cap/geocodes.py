"""Which towns a geocode stands for; the crosswalk goes by towns only, and guesses nothing."""

import re

from shared.connecticut.divisions import COUNTIES, PLANNING_REGIONS
from shared.connecticut.towns import town_by_geoid, town_by_name, towns

WHOLE_COUNTRY = "000000"
_COUNTY_UGC = re.compile(r"CTC(\d{3})", re.ASCII)
_STATE = "09"


class GeocodeRefused(Exception):
    """A geocode we do not act on: a code for programs and a sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


def towns_of(name: str, value: str) -> list[str]:
    """Return the geoids of the towns a geocode names.

    Known are SAME and FIPS6 (a county of old or a planning region), UGC counties, and FIPS,
    GEOID or TOWN for one town. Forecast zones cut through towns, so they are not known.

    Raises:
        GeocodeRefused: unknown, or all of the country.
    """
    kind = name.strip().upper()
    if kind in ("SAME", "FIPS6"):
        return _of_same(value)
    if kind == "UGC":
        found = _COUNTY_UGC.fullmatch(value)
        if found:
            return _of_division(_STATE + found[1])
    if kind in ("FIPS", "GEOID", "TOWN"):
        town = town_by_geoid(value) or town_by_name(value)
        if town is not None:
            return [town.geoid]
        if len(value) == 5:
            return _of_division(value)
    raise GeocodeRefused("unknown-geocode", "This geocode names no towns that we know.")


def _of_same(value: str) -> list[str]:
    if value == WHOLE_COUNTRY:
        raise GeocodeRefused("whole-country", "000000 is the whole country.")
    # A first digit other than 0 is a part of the county, which no town border follows.
    if len(value) == 6 and value.startswith("0"):
        return _of_division(value[1:])
    raise GeocodeRefused("unknown-geocode", "This geocode names no towns that we know.")


def _of_division(fips: str) -> list[str]:
    known = {one.fips for one in (*COUNTIES, *PLANNING_REGIONS)}
    if fips not in known:
        raise GeocodeRefused("unknown-geocode", "This geocode names no towns that we know.")
    return [one.geoid for one in towns() if fips in (one.county, one.region)]
