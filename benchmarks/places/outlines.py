"""Boundaries of towns, counties and the state: the real ones of a folder, or hand-drawn ones."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from shared.connecticut import towns

TOWNS, COUNTIES, STATE = "ct_towns.geojson", "ct_counties.geojson", "ct_state.geojson"
# The outline of Connecticut as one draws it by hand: degrees, the corners and the coast.
BY_HAND = (
    (-73.487, 42.050), (-73.000, 42.039), (-72.817, 42.037), (-72.817, 41.997), (-72.766, 42.003),
    (-72.757, 42.036), (-72.520, 42.034), (-72.100, 42.029), (-71.799, 42.023), (-71.789, 41.600),
    (-71.800, 41.420), (-71.840, 41.410), (-71.860, 41.320), (-71.980, 41.312), (-72.090, 41.308),
    (-72.200, 41.280), (-72.350, 41.270), (-72.530, 41.255), (-72.650, 41.260), (-72.790, 41.250),
    (-72.900, 41.248), (-72.920, 41.290), (-73.020, 41.210), (-73.100, 41.165), (-73.190, 41.148),
    (-73.270, 41.118), (-73.370, 41.090), (-73.430, 41.050), (-73.520, 41.030), (-73.600, 41.000),
    (-73.657, 40.985), (-73.728, 41.100), (-73.483, 41.213), (-73.550, 41.295), (-73.518, 41.670),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outlines:
    """Towns by geoid with their names, counties by FIPS code, the state; and whether real."""

    towns: dict[str, tuple[str, BaseGeometry]]
    counties: dict[str, BaseGeometry]
    state: BaseGeometry
    real: bool


def outlines(folder: Path | None) -> Outlines:
    """Return the boundaries of a folder (or its folder `geo`), hand-drawn ones without a folder.

    Raises:
        FileNotFoundError: the folder does not hold ct_towns, ct_counties and ct_state.geojson.
    """
    return _by_hand() if folder is None else _read(folder)


def _read(folder: Path) -> Outlines:
    geo = folder / "geo" if (folder / "geo").is_dir() else folder
    found = {name: _features(geo / name) for name in (TOWNS, COUNTIES, STATE)}
    return Outlines(
        towns={code["geoid"]: (code["name"], geometry) for code, geometry in found[TOWNS]},
        counties={code["fips"]: geometry for code, geometry in found[COUNTIES]},
        state=found[STATE][0][1],
        real=True,
    )


def _features(file: Path) -> list[tuple[dict[str, str], BaseGeometry]]:
    members = json.loads(file.read_text(encoding="utf-8"))["features"]
    return [(one["properties"], shapely.geometry.shape(one["geometry"])) for one in members]


def _by_hand() -> Outlines:
    """Give each town what lies nearest to its middle."""
    state = Polygon(BY_HAND)
    middles = shapely.multipoints(np.array([(town.lon, town.lat) for town in towns()]))
    cells = shapely.get_parts(shapely.voronoi_polygons(middles, extend_to=state, ordered=True))
    pieces = [_polygonal(shapely.intersection(cell, state)) for cell in cells]
    by_county: dict[str, list[BaseGeometry]] = {}
    for town, piece in zip(towns(), pieces, strict=True):
        by_county.setdefault(town.county, []).append(piece)
    return Outlines(
        towns={town.geoid: (town.name, piece) for town, piece in zip(towns(), pieces, strict=True)},
        counties={code: _polygonal(shapely.union_all(own)) for code, own in by_county.items()},
        state=state,
        real=False,
    )


def _polygonal(geometry: BaseGeometry) -> BaseGeometry:
    """Return the polygons of a geometry: clipping leaves points and lines where edges touch."""
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
