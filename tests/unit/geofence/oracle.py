"""The brute-force answer that the index is held against, and areas to ask about."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
import shapely
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from services.geofence.index.change import Change, Spot
from services.geofence.index.columns import Places, no_places
from services.geofence.index.grid import PER_DEGREE, Grid
from services.geofence.index.live_index import LiveIndex
from services.geofence.index.people import Roll

Floats = NDArray[np.float64]
CENTRE = np.array([-72.7, 41.6])
CELL = 1 / PER_DEGREE
# The state's grid would be 1.6 million cells for each index that a test makes.
SMALL = Grid(west=-72.9, south=41.45, per_degree=PER_DEGREE, columns=200, rows=150)


@dataclass(frozen=True)
class Answer:
    """Whom an area holds: inside, and by uncertainty alone."""

    inside: frozenset[int]
    uncertain: frozenset[int]


def ident(number: int) -> UUID:
    """Return a resident's id by number; some end in zero bytes, as any id may."""
    return UUID(int=(number + 1) << 32)


def number_of(packed: bytes) -> int:
    """Return the number of an id."""
    return (int.from_bytes(packed, "big") >> 32) - 1


def make_index(
    places: Places, people: int, *, channels: int = 7, grid: Grid | None = SMALL
) -> LiveIndex:
    """Build an index of people 0 … n-1 and their places; off a small grid are most of the state."""
    ids = np.array([ident(number).bytes for number in range(people)], "S16")
    roll = Roll(ids, np.ones(people, np.int64), np.full(people, channels, np.uint8))
    return LiveIndex(roll, places, grid=grid)


def empty_index() -> LiveIndex:
    """Build an index of nobody."""
    return make_index(no_places(), 0)


def change(number: int, version: int, *spots: tuple[float, float, float]) -> Change:
    """Make a change of one resident's places."""
    return Change(
        subscriber_id=ident(number),
        version=version,
        erased=False,
        spots=tuple(
            Spot(UUID(int=place), lon, lat, metres)
            for place, (lon, lat, metres) in enumerate(spots)
        ),
        channels=7,
    )


def ask(index: LiveIndex, area: BaseGeometry) -> Answer:
    """Ask the index, checking that everybody comes once and that count and spans agree."""
    view = index.view()
    found: dict[bool, list[int]] = {False: [], True: []}
    for block in view.blocks(area):
        packed = view.packed_ids(block.people)
        found[block.by_uncertainty] += [
            number_of(packed[at : at + 16]) for at in range(0, len(packed), 16)
        ]
    everybody = found[False] + found[True]
    assert len(everybody) == len(set(everybody))
    count = view.count(area)
    assert (count.people, count.by_uncertainty) == (len(everybody), len(found[True]))
    assert view.spans(area).places == count.places >= len(found[False])
    return Answer(frozenset(found[False]), frozenset(found[True]))


def brute_force(area: BaseGeometry, spots: dict[int, list[tuple[float, float, float]]]) -> Answer:
    """Test every place alone, without grid or preparation."""
    rows = [(person, *spot) for person, places in spots.items() for spot in places]
    if not rows:
        return Answer(frozenset(), frozenset())
    person, lon, lat, metres = np.array(rows, np.float64).T
    found = shapely.intersects(area, shapely.points(lon, lat))
    inside = frozenset(person[found].astype(int).tolist())
    near = [
        int(person[row])
        for row in np.flatnonzero(~found & (metres > 0)).tolist()
        if metres_to(area, lon[row], lat[row]) <= metres[row]
    ]
    return Answer(inside, frozenset(near) - inside)


def metres_to(area: BaseGeometry, lon: float, lat: float) -> float:
    """Return the distance to an area in metres, by scaling degrees around the point.

    Good to 1 in 1,000 for some kilometres, which is why tests keep off that margin.
    """
    from services.geofence.index.geodesy import distance_m

    one = np.array([1e-4])
    here = np.array([lon]), np.array([lat])
    east = distance_m(*here, here[0] + one, here[1])[0] / 1e-4
    north = distance_m(*here, here[0], here[1] + one)[0] / 1e-4
    scaled = shapely.transform(area, lambda points: (points - [lon, lat]) * [east, north])
    return float(shapely.distance(scaled, shapely.Point(0, 0)))


@st.composite
def stars(draw: st.DrawFn) -> Polygon:
    """Draw a star-shaped polygon near the middle of the state, with a hole now and then.

    Vertices often lie exactly on borders of cells, where a grid is easily wrong.
    """
    corners = draw(st.integers(3, 24))
    angles = np.sort(
        draw(
            st.lists(
                st.floats(0, 2 * np.pi, exclude_max=True),
                min_size=corners,
                max_size=corners,
                unique_by=lambda angle: round(angle, 3),
            )
        )
    )
    size = draw(st.sampled_from([0.0004, 0.002, 0.01, 0.06]))
    radii = np.array(draw(st.lists(st.floats(0.2, 1), min_size=corners, max_size=corners))) * size
    middle = CENTRE + draw(st.tuples(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03)))
    ring = middle + np.column_stack([radii * np.cos(angles), radii * np.sin(angles)])
    if draw(st.booleans()):
        ring = np.round(ring / CELL) * CELL
    shell = Polygon(ring)
    if draw(st.booleans()):
        hole = shapely.transform(shell, lambda points: middle + (points - middle) * 0.4)
        shell = Polygon(shell.exterior, [hole.exterior])
    return shell


@st.composite
def areas(draw: st.DrawFn) -> Polygon | MultiPolygon:
    """Draw a valid polygon or multipolygon."""
    from hypothesis import assume

    parts = [part for part in draw(st.lists(stars(), min_size=1, max_size=3)) if part.is_valid]
    assume(parts)
    area = shapely.union_all(parts)
    assume(isinstance(area, Polygon | MultiPolygon) and area.area > 0)
    return area
