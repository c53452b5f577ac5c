"""Bombs drawn on a map: crossings, counts, depths and numbers that are none."""

from collections.abc import Iterator

from benchmarks.hostile.bomb import Bomb, Shape, area, drawn
from benchmarks.hostile.rings import MIDDLE, circle, comb, last_crossing, scribble, star, zigzag

REFUSED, TOO_LARGE = frozenset({422}), frozenset({413})
EITHER = REFUSED | TOO_LARGE
# Within every cap, or so near to it that either answer is right; it has to be quick.
ANY = EITHER | {200}
HARTFORD = {"type": "feature", "kind": "town", "code": "0900337070"}


def crossing_bombs() -> Iterator[Bomb]:
    """Yield rings that cross themselves and areas that cross each other."""
    for vertices in (201, 999, 4_999):
        yield _one(f"star of {vertices:,} vertices", REFUSED, drawn("Polygon", [star(vertices)]))
        ring = scribble(vertices, vertices)
        yield _one(f"scribble of {vertices:,} vertices", REFUSED, drawn("Polygon", [ring]))
    yield _one(
        "fine circle of 4,999 vertices, its last edges crossed",
        REFUSED,
        drawn("Polygon", [last_crossing(4_998)]),
    )
    yield Bomb(
        "two combs of 5,000 vertices in one multipolygon, six million crossings",
        EITHER,
        lambda: area([drawn("MultiPolygon", [[_comb(upright)] for upright in (True, False)])]),
    )
    yield Bomb(
        "two combs of 5,000 vertices, united",
        EITHER,
        lambda: area([drawn("Polygon", [_comb(upright)]) for upright in (True, False)]),
    )
    yield Bomb(
        "two combs of 5,000 vertices, one less the other",
        EITHER,
        lambda: area([drawn("Polygon", [_comb(True)])], [drawn("Polygon", [_comb(False)])]),
    )
    yield Bomb(
        "two combs of 340 vertices, just within the crossings allowed",
        ANY,
        lambda: area([drawn("Polygon", [comb(340, upright=one)]) for one in (True, False)]),
    )
    yield Bomb(
        "a hundred stars of 99 vertices in one multipolygon",
        REFUSED,
        lambda: area([drawn("MultiPolygon", [[star(99, 0.1 + n / 1e3)] for n in range(100)])]),
    )
    yield Bomb(
        "a hundred combs across a hundred others",
        EITHER,
        lambda: area(
            [drawn("Polygon", [comb(96, upright=n % 2 == 0, shift=n / 2_000)]) for n in range(100)]
        ),
    )
    yield Bomb(
        "a comb of 5,000 vertices less a hundred circles",
        ANY,
        lambda: area([drawn("Polygon", [_comb(True)])], [_disc(0.1 * n, 9_000) for n in range(99)]),
    )


def circle_bombs() -> Iterator[Bomb]:
    """Yield circles and points, each a few bytes that stand for thousands of vertices."""
    yield Bomb("250 times the same 100 km circle", ANY, lambda: area([_disc(0, 1e5)] * 250))
    yield Bomb(
        "250 circles of 100 km, a centimetre apart in radius",
        ANY,
        lambda: area([_disc(0, 1e5 - n / 100) for n in range(250)]),
    )
    yield Bomb(
        "250 circles of 100 km, each 50 m beside the other",
        ANY,
        lambda: area([_disc(n, 1e5) for n in range(250)]),
    )
    yield Bomb(
        "125 circles of 100 km less 125 others",
        ANY,
        lambda: area(
            [_disc(n, 1e5) for n in range(125)], [_disc(n + 0.5, 1e5 - 1) for n in range(125)]
        ),
    )
    yield Bomb(
        "250 circles of 60 km on a grid",
        ANY,
        lambda: area([_at(n % 16 * 0.03, n // 16 * 0.03, 60_000) for n in range(250)]),
    )
    yield Bomb(
        "everything included is excluded",
        REFUSED,
        lambda: area([_disc(n, 1e5) for n in range(20)], [_disc(n, 1e5) for n in range(20)]),
    )
    same = [[-72.7, 41.6]] * 5_000
    yield Bomb("5,000 times the same point", ANY, lambda: area([_points(same, 1_000)]))
    yield Bomb(
        "5,000 points a metre apart, a kilometre around each",
        ANY,
        lambda: area([_points([[-72.7 + n % 71 / 1e5, 41.6 + n // 71 / 1e5] for n in range(5_000)],
                              1_000)]),
    )  # fmt: skip
    yield Bomb(
        "250 times 5,000 points",
        EITHER,
        lambda: area([_points([[-72, 41]] * 200, 1_000)] * 250),
    )
    yield Bomb("5,001 points", TOO_LARGE, lambda: area([_points([[-72.7, 41.6]] * 5_001, 30)]))
    yield Bomb("40,000 points", TOO_LARGE, lambda: area([_points([[-72.7, 41.6]] * 40_000, 30)]))


def count_bombs() -> Iterator[Bomb]:
    """Yield more than the caps of everything that is counted, and valid areas just below them."""
    yield Bomb(
        "a million vertices", TOO_LARGE, lambda: area([drawn("Polygon", [[[-72, 41]] * 1_000_000])])
    )
    yield Bomb(
        "80,000 vertices within the body's limit",
        TOO_LARGE,
        lambda: area([drawn("Polygon", [[[1, 1]] * 80_000])]),
    )
    yield Bomb(
        "100,000 empty polygons", TOO_LARGE, lambda: area([drawn("MultiPolygon", [[]] * 100_000)])
    )
    yield Bomb("150,000 empty rings", EITHER, lambda: area([drawn("Polygon", [[]] * 150_000)]))
    yield Bomb("100,000 shapes that are numbers", EITHER, lambda: area([1] * 100_000))
    yield Bomb(
        "2,600 shapes, half included and half excluded",
        EITHER,
        lambda: area([_disc(0, 1e5)] * 2_600, [_disc(0, 1e5)] * 2_600),
    )
    yield Bomb(
        "two valid combs of 5,000 vertices side by side",
        ANY,
        lambda: area([drawn("MultiPolygon", [[_comb(True)], [_beside()]])]),
    )
    yield Bomb("1,600 holes that touch each other", ANY, lambda: area([_chained_holes(1_600)]))
    yield Bomb("1,600 holes in each other", EITHER, lambda: area([_nested_holes(1_600)]))
    yield Bomb("2,300 holes in rows", ANY, lambda: area([_holes_in_rows(48)]))
    yield Bomb("2,490 holes in each other", EITHER, lambda: area([_nested_holes(2_490, corners=3)]))
    yield Bomb(
        "teeth of 5,000 vertices across the whole state",
        ANY,
        lambda: area([drawn("Polygon", [comb(4_980, upright=True, size=1.0)])]),
    )
    yield Bomb(
        "a zigzag of 4,990 edges from north to south",
        ANY,
        lambda: area([drawn("Polygon", [zigzag(4_990)])]),
    )
    yield Bomb(
        "two zigzags of 4,990 edges",
        ANY,
        lambda: area([drawn("Polygon", [zigzag(4_990)]), drawn("Polygon", [_shifted()])]),
    )
    yield Bomb(
        "5,000 houses all over the state",
        ANY,
        lambda: area([_points([[-73.4 + n % 71 * 0.02, 41.1 + n // 71 * 0.012]
                               for n in range(5_000)], 30)]),
    )  # fmt: skip
    yield Bomb(
        "5,000 houses all over the state, less a comb",
        ANY,
        lambda: area([_points([[-73.4 + n % 71 * 0.02, 41.1 + n // 71 * 0.012]
                               for n in range(5_000)], 30)],
                     [drawn("Polygon", [comb(4_980, upright=True, size=1.0)])]),
    )  # fmt: skip
    yield Bomb("2,500 times the same town", ANY, lambda: area([HARTFORD] * 2_500))
    yield Bomb(
        "every town less every circle",
        ANY,
        lambda: area(
            [{"type": "geocode", "scheme": "SAME", "value": "009000"}],
            [_at(n % 16 * 0.07 - 0.7, n // 16 * 0.05 - 0.4, 1_500) for n in range(100)],
        ),
    )


def number_bombs() -> Iterator[Bomb]:
    """Yield coordinates that are no numbers, too large or too long."""
    for name, text, statuses in (
        ("NaN", "NaN", frozenset({400, 422})),
        ("Infinity", "-Infinity", frozenset({400, 422})),
        ("1e309", "1e309", frozenset({400, 422})),
        ("a number as a text", '"nan"', REFUSED),
        ("an integer of 5,000 digits", "7" * 5_000, frozenset({400, 422})),
        ("an integer of 200,000 digits", "7" * 200_000, frozenset({400, 422})),
        ("a fraction of 200,000 digits", "-72." + "3" * 200_000, ANY | {400}),
        ("an exponent of 200,000 digits", "1e" + "9" * 200_000, frozenset({400, 422})),
        ("an altitude", "-72.7,41.6,1e300", REFUSED),
        ("null", "null", REFUSED),
        ("true", "true", REFUSED),
    ):
        ring = f"[[{text},41.6],[-72.6,41.6],[-72.6,41.7],[{text},41.6]]"
        shape = f'{{"type":"geojson","geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}'
        body = f'{{"area":{{"include":[{shape}]}}}}'.encode()
        yield Bomb(f"a coordinate that is {name}", statuses, lambda body=body: body)  # type: ignore[misc]
    yield _one("a radius of 1e308 m", REFUSED, _disc(0, 1e308))
    yield _one("a radius of 5e-324 m", ANY, _disc(0, 5e-324))
    yield Bomb(
        "nested collections 1,000 deep",
        frozenset({400, 422}),
        lambda: area([{"type": "geojson", "geometry": "?"}]).replace(b'"?"', _collections(1_000)),
    )


def _one(name: str, statuses: frozenset[int], shape: Shape) -> Bomb:
    return Bomb(name, statuses, lambda: area([shape]))


def _comb(upright: bool) -> list[list[float]]:
    return comb(4_980, upright=upright)


def _beside() -> list[list[float]]:
    return [[lon + 0.5, lat] for lon, lat in _comb(True)]


def _shifted() -> list[list[float]]:
    return [[lon + 0.00009, lat - 0.0004] for lon, lat in zigzag(4_990)]


def _disc(step: float, radius_m: float) -> Shape:
    return _at(step * 0.0006, 0.0, radius_m)


def _at(east: float, north: float, radius_m: float) -> Shape:
    lon, lat = round(MIDDLE[0] + east, 6), round(MIDDLE[1] + north, 6)
    return {"type": "circle", "lon": lon, "lat": lat, "radius_m": radius_m}


def _points(points: list[list[float]], radius_m: float) -> Shape:
    return {"type": "points", "points": points, "radius_m": radius_m}


def _chained_holes(many: int) -> Shape:
    step = 0.8 / many
    west, south = -73.1, 41.4
    holes = [
        [[x, south + 0.1], [x + step, south + 0.1], [x + step / 2, south + 0.3], [x, south + 0.1]]
        for x in (round(west + step * n, 6) for n in range(many))
    ]
    return drawn("Polygon", [[[-73.2, 41.4], [-72.2, 41.4], [-72.2, 41.9], [-73.2, 41.4]], *holes])


def _nested_holes(many: int, corners: int = 4) -> Shape:
    holes = [circle(corners, 0.15 - n * 0.14 / many) for n in range(many)]
    return drawn("Polygon", [circle(40, 0.3), *holes])


def _holes_in_rows(side: int) -> Shape:
    step = 0.3 / side
    holes = [
        circle(3, step / 4, (MIDDLE[0] - 0.15 + step * column, MIDDLE[1] - 0.15 + step * row))
        for row in range(side)
        for column in range(side)
    ]
    return drawn("Polygon", [circle(400, 0.35), *holes])


def _collections(depth: int) -> bytes:
    inner = b'{"type":"GeometryCollection","geometries":['
    return inner * depth + b"]}" * depth
