"""Runs of rows, taken as slices where they are long and gathered where they are short."""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.geofence.index.grid import Ints, spread

T = TypeVar("T", bound=np.generic)

# Rows handed over together: big enough for numpy, small enough to leave early.
BLOCK = 65_536
# From here on a slice costs less than the numbers of its rows.
LONG = 1024


def blocks_of(first: Ints, last: Ints) -> Iterator[slice | Ints]:
    """Yield the rows of runs [first, last) in blocks of BLOCK at most."""
    long = last - first >= BLOCK // 8
    for begin, end in zip(first[long].tolist(), last[long].tolist(), strict=True):
        for at in range(begin, end, BLOCK):
            yield slice(at, min(at + BLOCK, end))
    begins, lengths = first[~long], (last - first)[~long]
    total = np.cumsum(lengths)
    split = np.searchsorted(total, np.arange(BLOCK, total[-1] if total.size else 0, BLOCK))
    for some, counts in zip(np.split(begins, split), np.split(lengths, split), strict=True):
        owner, nth = spread(counts)
        yield some[owner] + nth


def take_runs(column: NDArray[T], first: Ints, last: Ints) -> NDArray[T]:
    """Return what a column holds in runs [first, last), long runs first."""
    long = last - first >= LONG
    owner, nth = spread((last - first)[~long])
    short = column[first[~long][owner] + nth]
    runs = zip(first[long].tolist(), last[long].tolist(), strict=True)
    return np.concatenate([*(column[begin:end] for begin, end in runs), short])


def sample(first: Ints, last: Ints, *, rows: int) -> Ints:
    """Return both ends of every run and some rows evenly from all of them."""
    if not first.size:
        return first
    end = np.cumsum(last - first)
    some = np.arange(0, end[-1], max(1, end[-1] // rows))
    run = np.searchsorted(end, some, side="right")
    return np.concatenate([last[run] - (end[run] - some), first, last - 1])
