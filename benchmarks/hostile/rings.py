"""Rings that cost more than they look: stars, combs, circles, as lists of degrees."""

import numpy as np

Ring = list[list[float]]
MIDDLE = (-72.7, 41.6)


def closed(lon: "np.typing.ArrayLike", lat: "np.typing.ArrayLike", digits: int = 5) -> Ring:
    """Return a closed ring of longitudes and latitudes, rounded to so many digits."""
    points: Ring = np.round(np.column_stack([lon, lat]), digits).tolist()
    return [*points, points[0]]


def circle(vertices: int, radius: float = 0.2, middle: tuple[float, float] = MIDDLE) -> Ring:
    """Return a regular polygon."""
    turn = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    return closed(middle[0] + radius * np.cos(turn), middle[1] + radius * np.sin(turn))


def star(vertices: int, radius: float = 0.2, middle: tuple[float, float] = MIDDLE) -> Ring:
    """Return a star of an odd number of vertices whose every edge crosses nearly every other."""
    turn = np.arange(vertices) * (vertices // 2) * 2 * np.pi / vertices
    return closed(middle[0] + radius * np.cos(turn), middle[1] + radius * np.sin(turn), 7)


def scribble(vertices: int, seed: int) -> Ring:
    """Return a ring of points in no order."""
    chance = np.random.default_rng(seed)
    return closed(chance.uniform(-73, -72.4, vertices), chance.uniform(41.4, 41.8, vertices))


def comb(vertices: int, *, upright: bool, shift: float = 0.0, size: float = 0.4) -> Ring:
    """Return a valid comb: thin teeth across a square, side by side, on one back."""
    teeth = vertices // 4
    step = size / teeth
    along, across = [], []
    for tooth in range(teeth):
        begin = tooth * step
        along += [begin, begin, begin + step / 2, begin + step / 2]
        across += [0.01, size, size, 0.01]
    along += [size, size, 0.0]
    across += [0.01, 0.0, 0.0]
    first, second = (along, across) if upright else (across, along)
    west, south = MIDDLE[0] - size / 2 + shift, MIDDLE[1] - size / 2 + shift
    return closed(west + np.array(first), south + np.array(second), 6)


def zigzag(vertices: int) -> Ring:
    """Return a valid ring whose every edge runs from the north to the south of the state."""
    steps = np.arange(vertices - 3)
    lon = -73.6 + steps * (1.8 / vertices)
    # Rounded to 9 digits, so that no two edges come to lie on each other.
    lat = 41.0 + np.where(steps % 2, 1.0, 0.0) + steps * 1e-6
    return closed([*lon, -71.7, -73.7, -73.6], [*lat, 40.98, 40.97, 40.99], 9)


def last_crossing(vertices: int) -> Ring:
    """Return a fine circle whose last edges alone cross, so that all of it has to be looked at."""
    ring = circle(vertices, 0.3)
    ring[-3], ring[-4] = ring[-4], ring[-3]
    return ring
