"""Say whom an area holds, and whom else it concerns, before anything is sent."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import shapely
from shapely import MultiPolygon, Polygon

from services.geofence.areas.atlas import JURISDICTION, TOWN, Sheets
from services.geofence.areas.jurisdictions import near_to
from services.geofence.areas.measure import area_km2
from services.geofence.areas.outlines.outline import Outline, outline
from services.geofence.areas.residents import Entered, all_residents, entered_towns
from services.geofence.index.view import Count, View
from services.geofence.layers.kinds import Feature


@dataclass(frozen=True, slots=True)
class Place:
    """A jurisdiction: the kind of layer it comes from and its feature; metres where it is near."""

    kind: str
    feature: Feature
    distance_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Preview:
    """People and places in an area, its size in km², and the jurisdictions it concerns.

    `residents` is an estimate, None where no population is known; `neighbours` are not entered
    and at most 5 km away.
    """

    count: Count
    area_km2: float
    vertices: int
    towns: tuple[Entered, ...]
    residents: float | None
    entered: tuple[Place, ...]
    neighbours: tuple[Place, ...]
    outline: Outline | None


@dataclass(frozen=True, slots=True)
class _Ground:
    """What an area lies on, whoever lives there."""

    area_km2: float
    towns: tuple[Entered, ...]
    entered: tuple[Place, ...]
    neighbours: tuple[Place, ...]


async def preview(
    view: View, area: Polygon | MultiPolygon, sheets: Sheets, *, outline_of: int | None = None
) -> Preview:
    """Count and measure off the event loop; `outline_of` asks for one of so many coordinates."""
    grid = sheets.towns.grid if sheets.towns else None
    # Side by side, each on a copy: what GEOS prepares of a geometry is one thread's at a time.
    count, ground, drawn = await asyncio.gather(
        asyncio.to_thread(view.count, area, towns=grid),
        asyncio.to_thread(_look_around, _copy(area), sheets),
        asyncio.to_thread(_drawn, _copy(area), outline_of),
    )
    return Preview(
        count=count,
        area_km2=ground.area_km2,
        vertices=int(shapely.get_num_coordinates(area)),
        towns=ground.towns,
        residents=all_residents(ground.towns),
        entered=ground.entered,
        neighbours=ground.neighbours,
        outline=drawn,
    )


def _look_around(area: Polygon | MultiPolygon, sheets: Sheets) -> _Ground:
    in_towns = entered_towns(sheets.towns, area) if sheets.towns else []
    entered = [Place(TOWN, one.town) for one in in_towns]
    if sheets.jurisdictions:
        entered += [Place(JURISDICTION, one) for one in sheets.jurisdictions.entered(area)]
    near = tuple(_neighbours(sheets, area, entered))
    return _Ground(round(area_km2(area), 3), tuple(in_towns), tuple(entered), near)


def _drawn(area: Polygon | MultiPolygon, outline_of: int | None) -> Outline | None:
    return outline(area, most=outline_of) if outline_of else None


def _copy(area: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    made = shapely.from_wkb(shapely.to_wkb(area))
    if not isinstance(made, (Polygon, MultiPolygon)):
        raise TypeError("an area that is no polygon")
    return made


def _neighbours(
    sheets: Sheets, area: Polygon | MultiPolygon, entered: Sequence[Place]
) -> Iterator[Place]:
    for kind, sheet in ((TOWN, sheets.towns), (JURISDICTION, sheets.jurisdictions)):
        if sheet is not None:
            known = {place.feature.code for place in entered if place.kind == kind}
            for near in near_to(sheet.features, sheet.flat, area, entered=known):
                yield Place(kind, near.feature, near.distance_m)
