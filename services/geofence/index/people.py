"""Everybody the index knows: id, version and reach by ordinal, and the ordinal of an id."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.geofence.index.columns import Ordinals

Ids: TypeAlias = NDArray[np.bytes_]

ID = np.dtype("S16")
# The version of somebody erased: no later event is newer, so nothing brings them back.
FORGOTTEN = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Roll:
    """People loaded at once, in the order of their ordinals."""

    ids: Ids
    versions: NDArray[np.int64]
    reach: NDArray[np.uint8]


class People:
    """Grows, never shrinks; an ordinal stays the same for the life of the index."""

    def __init__(self, roll: Roll) -> None:
        self.count = len(roll.ids)
        self.ids = roll.ids.astype(ID)
        self.versions = roll.versions.copy()
        self.reach = roll.reach.copy()
        self.stale = np.zeros(self.count, np.bool_)
        self._by_id: Ordinals = np.argsort(self.ids).astype(np.int32)
        self._recent: dict[bytes, int] = {}

    def ordinals(self, ids: Sequence[bytes]) -> list[int]:
        """Return the ordinal of each 16-byte id, giving new ones to people not met before."""
        found = self._find(ids)
        for at, one in enumerate(ids):
            if found[at] < 0:
                found[at] = self._recent.setdefault(one, self.count)
                if found[at] == self.count:
                    self._add(one)
        return found

    def sort_in(self) -> None:
        """Sort the people met since the last time in among the others."""
        if not self._recent:
            return
        added = np.fromiter(self._recent.values(), np.int32, len(self._recent))
        added = added[np.argsort(self.ids[added])]
        at = np.searchsorted(self._sorted_ids, self.ids[added], sorter=self._by_id)
        self._by_id = np.insert(self._by_id, at, added)
        self._recent.clear()

    @property
    def _sorted_ids(self) -> Ids:
        # People met since the last sort have the highest ordinals.
        return self.ids[: len(self._by_id)]

    def _find(self, ids: Sequence[bytes]) -> list[int]:
        wanted = np.array(ids, ID)
        if not len(self._by_id):
            return [-1] * len(ids)
        at = np.searchsorted(self._sorted_ids, wanted, sorter=self._by_id)
        hit = self._by_id[np.minimum(at, len(self._by_id) - 1)]
        found: list[int] = np.where(self.ids[hit] == wanted, hit, -1).tolist()
        return found

    def _add(self, one: bytes) -> None:
        if self.count == len(self.ids):
            self._grow(max(1024, self.count + self.count // 4))
        self.ids[self.count] = one
        self.count += 1

    def _grow(self, size: int) -> None:
        # A copy, so that views taken before keep the columns they were given.
        more = size - len(self.ids)
        self.ids = np.concatenate([self.ids, np.zeros(more, ID)])
        self.versions = np.concatenate([self.versions, np.zeros(more, np.int64)])
        self.reach = np.concatenate([self.reach, np.zeros(more, np.uint8)])
        self.stale = np.concatenate([self.stale, np.zeros(more, np.bool_)])
