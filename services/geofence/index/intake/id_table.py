"""Finds people by their ids: a hash table in columns, asked for many ids at once."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# Two unsigned 64-bit numbers to an id of 16 bytes, shape (n, 2).
Words: TypeAlias = NDArray[np.uint64]
Slots: TypeAlias = NDArray[np.int32]

# Slots to an id, at the making and at the least: a search looks at two to four slots.
ROOM = 1.4
LEAST_ROOM = 1.2
BATCH = 65_536
# Odd numbers without pattern, as splitmix64 multiplies by.
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_TURN = 0x94D049BB133111EB
_HALF = np.uint64(32)


class IdTable:
    """Slots that hold ordinals; each id has a sequence of slots of its own to be looked for in."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots

    def find(self, ids: Words, wanted: Words) -> Slots:
        """Return the ordinals of the wanted ids, -1 for those that are not there."""
        found = np.full(len(wanted), -1, np.int32)
        left = np.arange(len(wanted))
        turn = 0
        while left.size:
            there = self.slots[self._slot(wanted[left], turn)]
            # An empty slot is the end of the search.
            left, there = left[there >= 0], there[there >= 0]
            same = (ids[there] == wanted[left]).all(axis=1)
            found[left[same]] = there[same]
            left = left[~same]
            turn += 1
        return found

    def add(self, ids: Words, ordinals: Slots) -> None:
        """Put in people who are not there yet; `ids` are those of all people."""
        turn = 0
        while ordinals.size:
            slot = self._slot(ids[ordinals], turn)
            free = self.slots[slot] < 0
            self.slots[slot[free]] = ordinals[free]
            # Of several who want one free slot the last has it.
            ordinals = ordinals[self.slots[slot] != ordinals]
            turn += 1

    def has_room(self, people: int) -> bool:
        """Say whether so many people can be found quickly."""
        return people * LEAST_ROOM <= len(self.slots)

    def _slot(self, words: Words, turn: int) -> NDArray[np.int64]:
        turned = np.uint64(turn * _TURN % 2**64)
        mixed = words[:, 0] * _FIRST + words[:, 1] * _SECOND + turned
        mixed ^= mixed >> _HALF
        mixed *= _SECOND
        return (((mixed >> _HALF) * np.uint64(len(self.slots))) >> _HALF).astype(np.int64)


def make_id_table(ids: Words) -> IdTable:
    """Make a table of people whose ordinals are the rows of their ids."""
    table = IdTable(np.full(int(len(ids) * ROOM) + 1024, -1, np.int32))
    for at in range(0, len(ids), BATCH):
        table.add(ids, np.arange(at, min(at + BATCH, len(ids)), dtype=np.int32))
    return table
