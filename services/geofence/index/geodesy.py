"""Distances on the WGS 84 ellipsoid by Vincenty's formulas, to a millimetre."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

MAJOR_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
MINOR_M = MAJOR_M * (1 - FLATTENING)
# Below 200 km the series settles to 1e-12 radians in four rounds; twice that costs nothing.
ROUNDS = 8
# No degree of latitude on the ellipsoid is shorter, and none of longitude at the equator.
SHORTEST_DEGREE_M = 110_574.0


def _series(cos_sq_alpha: Floats) -> tuple[Floats, Floats]:
    squared = cos_sq_alpha * (MAJOR_M**2 - MINOR_M**2) / MINOR_M**2
    a = 1 + squared / 16384 * (4096 + squared * (-768 + squared * (320 - 175 * squared)))
    b = squared / 1024 * (256 + squared * (-128 + squared * (74 - 47 * squared)))
    return a, b


def _correction(b: Floats, sigma: Floats, middle: Floats) -> Floats:
    sin_s, cos_s = np.sin(sigma), np.cos(sigma)
    inner = cos_s * (-1 + 2 * middle**2)
    outer = b / 6 * middle * (-3 + 4 * sin_s**2) * (-3 + 4 * middle**2)
    return np.asarray(b * sin_s * (middle + b / 4 * (inner - outer)))


def _drift(cos_sq_alpha: Floats, sin_a: Floats, sigma: Floats, middle: Floats) -> Floats:
    c = FLATTENING / 16 * cos_sq_alpha * (4 + FLATTENING * (4 - 3 * cos_sq_alpha))
    arc = sigma + c * np.sin(sigma) * (middle + c * np.cos(sigma) * (-1 + 2 * middle**2))
    return np.asarray((1 - c) * FLATTENING * sin_a * arc)


def travel(
    lon: float | Floats, lat: float | Floats, bearing: Floats, metres: float
) -> tuple[Floats, Floats]:
    """Return where one arrives from a point in degrees, by bearings in radians from north."""
    reduced = np.arctan((1 - FLATTENING) * np.tan(np.radians(lat)))
    sin_u, cos_u = np.sin(reduced), np.cos(reduced)
    sin_b, cos_b = np.sin(bearing), np.cos(bearing)
    first = np.arctan2(sin_u, cos_u * cos_b)
    sin_a = cos_u * sin_b
    cos_sq_alpha = 1 - sin_a**2
    a, b = _series(cos_sq_alpha)
    start = metres / (MINOR_M * a)
    sigma = start
    for _ in range(ROUNDS):
        sigma = start + _correction(b, sigma, np.cos(2 * first + sigma))
    sin_s, cos_s = np.sin(sigma), np.cos(sigma)
    across = sin_u * sin_s - cos_u * cos_s * cos_b
    end = np.arctan2(
        sin_u * cos_s + cos_u * sin_s * cos_b,
        (1 - FLATTENING) * np.sqrt(sin_a**2 + across**2),
    )
    turn = np.arctan2(sin_s * sin_b, cos_u * cos_s - sin_u * sin_s * cos_b)
    turn -= _drift(cos_sq_alpha, sin_a, sigma, np.cos(2 * first + sigma))
    return lon + np.degrees(turn), np.degrees(end)


def distance_m(lon1: Floats, lat1: Floats, lon2: Floats, lat2: Floats) -> Floats:
    """Return the distances in metres between points in degrees less than 2,000 km apart."""
    turn = np.radians(lon2 - lon1)
    u1 = np.arctan((1 - FLATTENING) * np.tan(np.radians(lat1)))
    u2 = np.arctan((1 - FLATTENING) * np.tan(np.radians(lat2)))
    sin1, cos1, sin2, cos2 = np.sin(u1), np.cos(u1), np.sin(u2), np.cos(u2)
    around = turn
    for _ in range(ROUNDS):
        across = cos2 * np.sin(around)
        along = cos1 * sin2 - sin1 * cos2 * np.cos(around)
        sin_s = np.hypot(across, along)
        cos_s = sin1 * sin2 + cos1 * cos2 * np.cos(around)
        sigma = np.arctan2(sin_s, cos_s)
        apart = sin_s > 0
        sin_a = np.divide(
            cos1 * cos2 * np.sin(around), sin_s, out=np.zeros_like(sin_s), where=apart
        )
        cos_sq_alpha = 1 - sin_a**2
        middle = cos_s - np.divide(
            2 * sin1 * sin2, cos_sq_alpha, out=np.zeros_like(sin_s), where=cos_sq_alpha > 1e-12
        )
        around = turn + _drift(cos_sq_alpha, sin_a, sigma, middle)
    a, b = _series(cos_sq_alpha)
    return np.asarray(MINOR_M * a * (sigma - _correction(b, sigma, middle)))
