"""Places clustered like Connecticut's people, the same ones on every machine."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.connecticut import Town, towns

Floats: TypeAlias = NDArray[np.float64]

SEED = 20_250_405
# Four people have five places: a home each, and one of them a place of work.
PLACES_A_PERSON = 1.25
# As where a postal code alone is known.
UNCERTAIN_SHARE = 0.01
RURAL_SHARE = 0.15
# A degree of longitude at 41.6 N is so much of one of latitude.
SQUEEZE = 0.748


@dataclass(frozen=True, slots=True)
class Crowd:
    """Places in degrees WGS 84 and metres of uncertainty, whose they are, and everybody's id.

    `channels` are reach bits by person (sms 1, voice 2, email 4); `spanish` marks a language.
    """

    lon: Floats
    lat: Floats
    uncertainty_m: Floats
    person: NDArray[np.int32]
    ids: NDArray[np.bytes_]
    channels: NDArray[np.uint8]
    spanish: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.lon)


def make_crowd(places: int) -> Crowd:
    """Return so many places in no order: villages of each town by its population, some rural."""
    chance = np.random.default_rng(SEED)
    drawn = [
        _of_town(chance, town, reach, count)
        for town, reach, count in zip(towns(), _reaches(), _shares(places), strict=True)
    ]
    lon, lat = np.concatenate(drawn, axis=1)
    people = max(1, int(places / PLACES_A_PERSON))
    person = np.concatenate([np.arange(people), chance.integers(people, size=places - people)])
    uncertainty_m = np.zeros(places)
    some = chance.random(places) < UNCERTAIN_SHARE
    uncertainty_m[some] = np.round(chance.uniform(50, 2_000, np.count_nonzero(some)))
    return Crowd(
        lon=lon,
        lat=lat,
        uncertainty_m=uncertainty_m,
        person=chance.permutation(person).astype(np.int32),
        ids=np.frombuffer(chance.bytes(16 * people), "S16"),
        channels=chance.integers(1, 8, people).astype(np.uint8),
        spanish=chance.random(people) < 0.12,
    )


def _shares(places: int) -> list[int]:
    """Return how many places each town has: rounded so that they add up."""
    weights = np.array([town.population for town in towns()], np.float64)
    edges = np.round(np.cumsum(weights) / weights.sum() * places).astype(np.int64)
    return [int(count) for count in np.diff(edges, prepend=0)]


def _reaches() -> list[float]:
    """Return how far each town extends from its middle, in degrees of latitude, roughly."""
    middle = np.array([(town.lon * SQUEEZE, town.lat) for town in towns()])
    apart = np.sort(np.hypot(*(middle[:, None] - middle[None]).transpose(2, 0, 1)), axis=1)
    return [float(reach) for reach in apart[:, 1:5].mean(axis=1) / 2]


def _of_town(chance: np.random.Generator, town: Town, reach: float, count: int) -> Floats:
    """Return longitudes and latitudes of a town's places, shape (2, count)."""
    villages = 3 + int(np.sqrt(town.population) / 20)
    middle = chance.normal(0, 0.45 * reach, (villages, 2))
    width = 0.12 * reach * chance.lognormal(0, 0.5, villages)
    village = chance.choice(villages, count, p=chance.dirichlet(np.full(villages, 1.5)))
    offset = middle[village] + chance.normal(size=(count, 2)) * width[village, None]
    rural = chance.random(count) < RURAL_SHARE
    many = int(np.count_nonzero(rural))
    turn, away = chance.uniform(0, 2 * np.pi, many), reach * np.sqrt(chance.random(many))
    offset[rural] = np.column_stack([np.cos(turn), np.sin(turn)]) * away[:, None]
    return np.stack([town.lon + offset[:, 0] / SQUEEZE, town.lat + offset[:, 1]])
