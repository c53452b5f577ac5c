"""Changes of the roster as columns, in the order they came."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.geofence.index.change import FORGOTTEN, Change
from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import Ints
from services.geofence.index.intake.id_table import Words
from services.geofence.index.intake.languages import Languages


class Entry(NamedTuple):
    """One change: 16 bytes of id, version, channel bits, language, (lon, lat, metres) of places."""

    id: bytes
    version: int
    channels: int
    language: str
    spots: Sequence[tuple[float, float, float]]


def entry_of(change: Change) -> Entry:
    """Make an entry of a change; who is erased has no places and the last of all versions."""
    if change.erased:
        return Entry(change.subscriber_id.bytes, FORGOTTEN, 0, "", ())
    return Entry(
        change.subscriber_id.bytes,
        change.version,
        change.channels,
        change.language,
        [(spot.lon, spot.lat, spot.uncertainty_m) for spot in change.spots],
    )


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries as columns, and the places of all of them, `counts` to each."""

    ids: Words
    versions: Ints
    traits: NDArray[np.uint16]
    counts: Ints
    spots: Floats

    def places_of(self, some: Ints) -> tuple[Floats, Ints]:
        """Return the places of some entries, shape (n, 3), and how many each has."""
        counts = self.counts[some]
        begin = np.cumsum(self.counts) - self.counts
        owner = np.repeat(begin[some] - (np.cumsum(counts) - counts), counts)
        return self.spots[owner + np.arange(owner.size)], counts


def columns_of(entries: Sequence[Entry], languages: Languages) -> Entries:
    """Turn entries into columns."""
    count = len(entries)
    ids = np.frombuffer(b"".join([entry.id for entry in entries]), np.uint64)
    spots = [entry.spots for entry in entries]
    numbers = np.fromiter(chain.from_iterable(chain.from_iterable(spots)), np.float64)
    number = languages.number
    return Entries(
        ids=ids.reshape(-1, 2),
        versions=np.fromiter([entry.version for entry in entries], np.int64, count),
        traits=np.fromiter(
            [number(entry.language) << 3 | entry.channels for entry in entries], np.uint16, count
        ),
        counts=np.fromiter(map(len, spots), np.int64, count),
        spots=numbers.reshape(-1, 3),
    )


def newest(person: NDArray[np.int32], versions: Ints) -> Ints:
    """Return for each person the entry of the highest version, the first of equal ones."""
    order = np.argsort(person, kind="stable")
    ordered = person[order]
    if (ordered[1:] != ordered[:-1]).all():
        return np.arange(person.size)
    order = np.lexsort((-np.arange(person.size), versions, person))
    last = np.append(person[order][1:] != person[order][:-1], True)
    return np.asarray(order[last])
