"""The worst that the caps let through is made, or refused, in the time that a process is given."""

import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.geofence.areas.area import LARGEST_COMPRESSED, normalise
from services.geofence.areas.shapes.assemble import assemble
from services.geofence.areas.shapes.crossings import MOST_CROSSINGS
from services.geofence.areas.shapes.draw import CAPS, MOST_DOT_CORNERS
from services.geofence.areas.shapes.read_area import MOST_POINTS, MOST_SHAPES, read_area
from services.geofence.areas.workshop.hand import LIMIT_S
from services.geofence.layers.geometry import GeometryRefused

Points = NDArray[np.float64]
MIDDLE = np.array([-72.7, 41.6])
RANDOM = np.random.default_rng(31)


def polygon(points: Points) -> dict[str, Any]:
    """Return a drawn polygon."""
    ring = points.tolist()
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"type": "geojson", "geometry": geometry}


def comb(teeth: int, *, lying: bool = False, wide: float = 0.4) -> Points:
    """Return a comb; one that stands and one that lies cross four times teeth squared."""
    at = np.repeat(np.linspace(0, wide, 2 * teeth), 2)
    height = np.tile([0.001, 0.4, 0.4, 0.001], teeth)
    points = np.vstack([np.column_stack([at, height]), [[wide, 0.0], [0.0, 0.0]]])
    return MIDDLE - 0.2 + (points[:, ::-1] if lying else points)


def around(corners: int, *, inner: float = 1.0, turn: float = 0.0, radius: float = 0.2) -> Points:
    """Return a ring, or with an inner radius a star, around the middle."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + turn
    reach = np.where(np.arange(corners) % 2, radius, radius * inner)
    return MIDDLE + np.column_stack([reach * np.cos(angle), reach * np.sin(angle)])


def circles(number: int, radius_m: float, spread: float) -> list[dict[str, Any]]:
    """Return circles whose centres lie in a square around the middle."""
    centres = MIDDLE + RANDOM.uniform(-spread, spread, (number, 2))
    return [
        {"type": "circle", "lon": lon, "lat": lat, "radius_m": radius_m}
        for lon, lat in centres.tolist()
    ]


def points(radius_m: float, spread: float) -> dict[str, Any]:
    """Return as many points as may be."""
    at = MIDDLE + RANDOM.uniform(-spread, spread, (MOST_POINTS, 2))
    return {"type": "points", "points": at.tolist(), "radius_m": radius_m}


def nested(holes: int) -> dict[str, Any]:
    """Return a square with squares in one another for holes."""
    reach = np.linspace(0.2, 0.01, holes + 1).reshape(-1, 1, 1)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    rings = (MIDDLE + reach * square).tolist()
    return {"type": "geojson", "geometry": {"type": "Polygon", "coordinates": rings}}


def shaken(shape: Points, by: float) -> Points:
    """Return a shape whose corners are off by no more than so much."""
    return shape + RANDOM.uniform(-by, by, shape.shape)


UPRIGHT, LYING = polygon(comb(1_200)), polygon(comb(1_200, lying=True))
STAR = polygon(around(4_900, inner=0.2))
BOMBS: dict[str, dict[str, Any]] = {
    "combs across": {"include": [UPRIGHT, LYING]},
    "comb without comb": {"include": [UPRIGHT], "exclude": [LYING]},
    "combs as often as may be": {"include": [polygon(comb(70)), polygon(comb(70, lying=True))]},
    "comb without comb as often as may be": {
        "include": [polygon(comb(70))], "exclude": [polygon(comb(70, lying=True))]},
    "two stars": {"include": [STAR, polygon(around(4_900, inner=0.2, turn=0.0005))]},
    "a star alone": {"include": [STAR]},
    "a star and a speck": {"include": [STAR, polygon(around(4, radius=0.01))]},
    "a ring without a star": {"include": [polygon(around(99))], "exclude": [STAR]},
    "hundred stars": {"include": [
        polygon(around(98, inner=0.2, turn=number / 1e3)) for number in range(100)]},
    "hundred rings turned": {"include": [
        polygon(around(98, turn=number / 1e3)) for number in range(100)]},
    "hundred rings nearly one": {"include": [
        polygon(around(98) + number * 1e-13) for number in range(100)]},
    "two rings nearly one": {"include": [
        polygon(around(4_900)), polygon(around(4_900) + 1e-13)]},
    **{f"comb and comb shaken by {by}": {
        "include": [UPRIGHT, polygon(shaken(comb(1_200), by))]} for by in (1e-15, 1e-13, 1e-10)},
    **{f"comb without comb shaken by {by}": {
        "include": [UPRIGHT], "exclude": [polygon(shaken(comb(1_200), by))]}
        for by in (1e-14, 1e-12, 1e-10)},
    "a comb through circles": {"include": [UPRIGHT, *circles(240, 300, 0.2)]},
    "a comb without circles": {"include": [UPRIGHT], "exclude": circles(240, 300, 0.2)},
    "circles without a comb": {"include": circles(240, 300, 0.2), "exclude": [UPRIGHT]},
    "the same circle": {"include": circles(1, 100_000, 0.0) * MOST_SHAPES},
    "great circles nearly one": {"include": circles(113, 100_000, 1e-7)},
    "great circles": {"include": circles(113, 100_000, 0.1)},
    "too many great circles": {"include": circles(MOST_SHAPES, 100_000, 0.1)},
    "circles": {"include": circles(MOST_SHAPES, 5_000, 0.1)},
    "circles without circles": {
        "include": circles(125, 5_000, 0.1), "exclude": circles(125, 5_000, 0.1)},
    "points in one street": {"include": [points(100, 0.001)]},
    "points in one town": {"include": [points(100, 0.05)]},
    "points all over": {"include": [points(100, 0.4)]},
    "points without a comb": {"include": [points(30, 0.2)], "exclude": [UPRIGHT]},
    "a comb without points": {"include": [UPRIGHT], "exclude": [points(30, 0.2)]},
    "holes in holes": {"include": [nested(999)]},
    "points too wide": {"include": [points(1_000, 0.4)]},
}  # fmt: skip


KNOWN = ((413, "too-complex"), (422, "empty-area"), (422, "nested-holes"))


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.shows("S31", "bad:A07")
def test_it_is_over_in_time(name: str) -> None:
    began = time.process_time()
    try:
        area = normalise([assemble(read_area(BOMBS[name]))])
        assert len(area.packed) * 3 / 4 < LARGEST_COMPRESSED
    except GeometryRefused as refused:
        assert (refused.status, refused.code) in KNOWN  # noqa: PT017
    assert time.process_time() - began < LIMIT_S


def test_these_are_near_the_caps() -> None:
    """Or the bombs above would be squibs."""
    assert 4 * 70**2 <= MOST_CROSSINGS < 4 * 75**2
    ring = BOMBS["a star alone"]["include"][0]["geometry"]["coordinates"][0]
    assert CAPS.ring * 0.95 < len(ring) <= CAPS.ring
    assert MOST_POINTS * 18 <= MOST_DOT_CORNERS


# Positions that are nowhere would be refused as such, if anybody had looked at them.
def nowhere(size: int) -> dict[str, Any]:
    """Return a polygon of so many positions, all null."""
    return {"type": "geojson", "geometry": {"type": "Polygon", "coordinates": [[None] * size]}}


GOOD = polygon(around(9))
TOO_MUCH: dict[str, dict[str, Any]] = {
    "a ring": {"include": [nowhere(5_001)]},
    "an excluded ring": {"include": [GOOD], "exclude": [nowhere(5_001)]},
    "in all": {"include": [nowhere(3_400), nowhere(3_400), nowhere(3_400)]},
    "on both sides": {"include": [nowhere(3_400), nowhere(3_400)], "exclude": [nowhere(3_400)]},
    "polygons": {"include": [nowhere(4)] * 51, "exclude": [nowhere(4)] * 50},
    "rings": {"include": [nested(1_000)]},
    "circles": {"include": circles(126, 500, 0.1), "exclude": circles(125, 500, 0.1)},
}


@pytest.mark.shows("S31", "bad:A07")
@pytest.mark.parametrize("name", TOO_MUCH)
def test_both_sides_are_counted_before_anything_is_made(name: str) -> None:
    with pytest.raises(GeometryRefused) as refused:
        assemble(read_area(TOO_MUCH[name]))
    assert (refused.value.code, refused.value.status) == ("too-complex", 413)


@pytest.mark.shows("S31", "bad:A07")
def test_edges_through_too_many_cells_are_refused_whatever_their_number() -> None:
    """A valid comb, few of whose vertices say how much of the index its edges run through."""
    with pytest.raises(GeometryRefused) as refused:
        assemble(read_area({"include": [polygon(comb(1_200))]}))
    assert (refused.value.code, refused.value.status) == ("too-complex", 413)
    assert assemble(read_area({"include": [polygon(comb(300))]})).is_valid
