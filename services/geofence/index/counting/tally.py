"""How many people there are by channel, by language and by town."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.geofence.index.counting.town_grid import TownNumbers

T = TypeVar("T", bound=np.integer[Any])

CHANNELS = {"sms": 1, "voice": 2, "email": 4}


def by_channel_and_language(
    traits: NDArray[np.uint16], languages: Sequence[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """Count people by the bits of their channels and by language tag, most spoken first."""
    table = np.bincount(traits, minlength=8 * len(languages)).reshape(-1, 8)
    per_bits, per_language = table.sum(axis=0), table.sum(axis=1)
    ways = np.arange(8)
    channels = {name: int(per_bits[(ways & bit) != 0].sum()) for name, bit in CHANNELS.items()}
    spoken = np.flatnonzero(per_language)
    spoken = spoken[np.argsort(-per_language[spoken], kind="stable")]
    return channels, {languages[one]: int(per_language[one]) for one in spoken.tolist()}


@dataclass(frozen=True, slots=True)
class Tally:
    """People by ordinal in order, each once; their places, and how many of them in each town.

    Who has several places in a town counts once there; nowhere is no town.
    """

    people: NDArray[np.int32]
    places: int
    by_town: dict[str, int]


def tally(
    person: NDArray[np.int32],
    town: TownNumbers | None = None,
    codes: Sequence[str] = (),
    *,
    gone: NDArray[np.bool_] | None = None,
) -> Tally:
    """Count places given by whose they are and the number of their town, if that is asked for.

    `gone` marks people by ordinal whose places do not count any more. One sorting serves all, of
    32 bits where person and town fit into them: that is what a count of many costs. Whatever is
    looked up of people is looked up after it, side by side in memory.
    """
    bits = len(codes).bit_length()
    most = int(person.max(initial=0)) << bits
    both: NDArray[Any] = person.astype(np.uint32 if most < 2**32 - 2**bits else np.int64)
    if town is not None:
        both <<= bits
        both |= (town + 1).astype(both.dtype)
    both.sort()
    if gone is not None:
        both = both[~gone[both >> bits]]
    pairs = both[_new(both)]
    counts = np.bincount((pairs & ((1 << bits) - 1)).astype(np.int64), minlength=len(codes) + 1)[1:]
    by_town = {codes[one]: int(counts[one]) for one in np.flatnonzero(counts).tolist()}
    pairs >>= bits
    return Tally(pairs[_new(pairs)].astype(np.int32), both.size, by_town)


def distinct(values: NDArray[T]) -> NDArray[T]:
    """Return the values in order, each once.

    Faster than marking them where they are some of millions: numpy sorts integers in no time.
    """
    ordered = np.sort(values)
    return ordered[_new(ordered)]


def without(values: NDArray[T], others: NDArray[T]) -> NDArray[T]:
    """Return the values that are not among others in ascending order."""
    if not others.size:
        return values
    at = np.minimum(np.searchsorted(others, values), others.size - 1)
    return np.asarray(values[others[at] != values])


def _new(ordered: NDArray[T]) -> NDArray[np.bool_]:
    """Say which values are not the same as the one before."""
    new = np.ones(ordered.size, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return new
