"""The 169 towns of Connecticut, read once from the facts beside this file."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Town:
    """A town: names and codes, centroid in degrees WGS 84, people in mid-2020."""

    name: str
    geoid: str
    geoid_2022: str
    county: str
    region: str
    lon: float
    lat: float
    population: int
    nws_zones: tuple[str, ...]

    @property
    def nws_zone(self) -> str:
        """The forecast zone that holds most of the town."""
        return self.nws_zones[0]


@lru_cache(maxsize=1)
def towns() -> tuple[Town, ...]:
    """Return all towns in the order of their names."""
    text = resources.files(__package__).joinpath("towns.csv").read_text(encoding="utf-8")
    return tuple(
        Town(
            name=row["name"],
            geoid=row["geoid"],
            geoid_2022=row["geoid_2022"],
            county=row["county"],
            region=row["region"],
            lon=float(row["lon"]),
            lat=float(row["lat"]),
            population=int(row["population"]),
            nws_zones=tuple(row["nws_zones"].split()),
        )
        for row in csv.DictReader(text.splitlines())
    )


@lru_cache(maxsize=1)
def _by_geoid() -> MappingProxyType[str, Town]:
    return MappingProxyType(
        {code: town for town in towns() for code in (town.geoid, town.geoid_2022)}
    )


@lru_cache(maxsize=1)
def _by_name() -> MappingProxyType[str, Town]:
    return MappingProxyType({town.name.casefold(): town for town in towns()})


def town_by_geoid(geoid: str) -> Town | None:
    """Return the town of a county-based or planning-region-based geoid, or None."""
    return _by_geoid().get(geoid)


def town_by_name(name: str) -> Town | None:
    """Return the town of a name written in any case, or None."""
    return _by_name().get(" ".join(name.split()).casefold())
