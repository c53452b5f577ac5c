"""Make-believe residents, spread over Connecticut by town population."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import numpy as np

from shared.connecticut import Town
from shared.identifiers import derive_id

# How far the homes of a town scatter around its centre (standard deviation, degrees of latitude).
SCATTER = 0.022
# The exchanges 555-0000…9999 of Connecticut's four area codes come first, then made-up ones.
AREA_CODES = ("203", "860", "475", "959")
LANGUAGES = ("en", "es", "pl", "pt", "fr")
LANGUAGE_SHARES = (0.83, 0.11, 0.02, 0.02, 0.02)


Channel = Literal["sms", "voice", "email"]


@dataclass(frozen=True, slots=True)
class Contact:
    """A way to reach somebody; a statutory one is a landline known from the 911 data."""

    channel: Channel
    address: str
    statutory: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """A resident as the seed knows them: places are (lon, lat) in degrees WGS 84."""

    subscriber_id: UUID
    language: str
    contacts: tuple[Contact, ...]
    places: tuple[tuple[float, float], ...]


def make_people(count: int, *, towns: Sequence[Town], seed: int) -> list[Person]:
    """Return the same `count` residents for the same seed.

    Seven of ten have a mobile phone, four of ten an e-mail address, two of ten a landline
    (half of those shared with the neighbour before them, so that shared numbers occur).
    """
    draw = np.random.default_rng(seed)
    weights = np.array([town.population for town in towns], dtype=float)
    home = draw.choice(len(towns), size=count, p=weights / weights.sum())
    second = draw.choice(len(towns), size=count, p=weights / weights.sum())
    offsets = draw.normal(0.0, SCATTER, size=(count, 4))
    chances = draw.random(size=(count, 6))
    languages = draw.choice(len(LANGUAGES), size=count, p=LANGUAGE_SHARES)
    people: list[Person] = []
    landline = ""
    for n in range(count):
        places = [_near(towns[home[n]], offsets[n, 0], offsets[n, 1])]
        if chances[n, 0] < 0.15:
            places.append(_near(towns[second[n]], offsets[n, 2], offsets[n, 3]))
        contacts = []
        if chances[n, 1] < 0.7:
            contacts.append(Contact("sms", _phone(2 * n)))
        if chances[n, 2] < 0.4:
            contacts.append(Contact("email", f"resident{n}.{seed}@example.com"))
        if chances[n, 3] < 0.2 or not contacts:
            shared = landline and chances[n, 4] < 0.5
            landline = landline if shared else _phone(2 * n + 1)
            contacts.append(Contact("voice", landline, statutory=bool(chances[n, 5] < 0.5)))
        people.append(
            Person(
                subscriber_id=derive_id("seed", seed, n),
                language=LANGUAGES[languages[n]],
                contacts=tuple(contacts),
                places=tuple(places),
            )
        )
    return people


def contacts_of(people: Sequence[Person]) -> Iterator[tuple[str, str]]:
    """Yield (channel, address) of everybody, shared ones once for each who has them."""
    for person in people:
        for contact in person.contacts:
            yield contact.channel, contact.address


def _near(town: Town, east: float, north: float) -> tuple[float, float]:
    # A degree of longitude is about 0.75 of one of latitude at 41.6° north.
    return round(town.lon + east / 0.75, 6), round(town.lat + north, 6)


def _phone(n: int) -> str:
    code = AREA_CODES[n % 4]
    exchange = 555 if n < 40_000 else 200 + (n // 40_000 - 1) % 355
    return f"+1{code}{exchange}{n // 4 % 10_000:04d}"
