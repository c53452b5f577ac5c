"""Find the centre of a point or a town at a moment, by its boundary and by its town: both shown."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.geofence.psaps import store
from services.geofence.psaps.boundaries import Boundaries, Drawings
from services.geofence.psaps.directory import Period
from shared.connecticut import Town, town_by_geoid
from shared.db.session import Tx
from shared.web.errors import conflict


@dataclass(frozen=True, slots=True)
class Spot:
    """A point in degrees WGS 84."""

    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Way:
    """How a boundary holds what was asked: a point inside or on its edge, a town whole or in part.

    `share` is the part of the town inside the boundary.
    """

    code: str
    how: Literal["inside", "edge", "whole", "part"]
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A centre that may be meant: by its boundary, or because the town is given to it.

    `period` is None where the directory has nothing of it at that moment.
    """

    code: str
    period: Period | None
    way: Way | None
    by_town: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The centres of a point or town at a moment; `agree` None where only one side knows any."""

    at: datetime
    candidates: tuple[Candidate, ...]
    towns: tuple[Town, ...]
    agree: bool | None
    psap_layer: Boundaries | None
    town_layer: Boundaries | None

    @property
    def on_edge(self) -> bool:
        """Say whether a border runs through the point."""
        return any(one.way is not None and one.way.how == "edge" for one in self.candidates)


async def find_psaps(tx: Tx, where: Spot | Town, *, at: datetime, drawings: Drawings) -> Found:
    """Find the centres of a point or a town as they were at a moment.

    Raises:
        Problem: 409 where neither boundaries nor towns of that moment are known.
    """
    psaps = await drawings.at(tx, "psap", at)
    drawn = await drawings.at(tx, "town", at)
    if isinstance(where, Spot):
        towns = _towns_around(where, drawn)
        ways = _around(where, psaps)
    else:
        towns = (where,)
        # Cutting a town up takes a while, and alerts are resolved on this loop.
        ways = await asyncio.to_thread(_within, where, psaps, drawn)
    served = await store.towns_at(tx, at, towns=[town.geoid for town in towns])
    if psaps is None and not served:
        raise conflict(
            "no-psap-boundaries", "Neither boundaries nor a town's centre are known of that time."
        )
    by_town = {one.code for one in served}
    by_boundary = {way.code: way for way in ways or ()}
    codes = sorted(by_boundary.keys() | by_town)
    periods = {one.code: one for one in await store.periods_at(tx, at, codes=codes)}
    candidates = tuple(
        Candidate(code, periods.get(code), by_boundary.get(code), code in by_town) for code in codes
    )
    agree = None if ways is None or not served else _agree(ways, by_town)
    return Found(at, candidates, towns, agree, psaps, drawn)


def _towns_around(spot: Spot, drawn: Boundaries | None) -> tuple[Town, ...]:
    near = drawn.around(spot.lon, spot.lat) if drawn else []
    return tuple(town for town in (town_by_geoid(one.code) for one in near) if town)


def _around(spot: Spot, psaps: Boundaries | None) -> list[Way] | None:
    if psaps is None:
        return None
    return [
        Way(near.code, "edge" if near.on_edge else "inside")
        for near in psaps.around(spot.lon, spot.lat)
    ]


def _within(town: Town, psaps: Boundaries | None, drawn: Boundaries | None) -> list[Way] | None:
    shape = drawn.shape(town.geoid, town.geoid_2022) if drawn else None
    if psaps is None or shape is None:
        return None
    return [
        Way(one.code, "whole" if one.whole else "part", one.share) for one in psaps.shares(shape)
    ]


def _agree(ways: Sequence[Way], given: Collection[str]) -> bool:
    """Say whether boundaries and towns name the same; on an edge either side of it may."""
    if any(way.how == "part" for way in ways):
        return False
    sure = {way.code for way in ways if way.how != "edge"}
    return sure <= set(given) and any(way.code in given for way in ways)
