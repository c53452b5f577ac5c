"""Everybody the index knows: id, version and traits by ordinal, and the ordinal of an id."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.geofence.index.columns import Ordinals, longer
from services.geofence.index.intake.id_table import IdTable, Slots, Words, make_id_table
from services.geofence.index.intake.languages import Languages

Ids: TypeAlias = NDArray[np.bytes_]
Versions: TypeAlias = NDArray[np.int64]
Traits: TypeAlias = NDArray[np.uint16]

ID = np.dtype("S16")
# Growing copies all columns: rare enough at a sixteenth, and no more than that is ever unused.
GROWTH = 16
CHANNEL_BITS = 3


@dataclass(frozen=True, slots=True)
class Roll:
    """People loaded at once, in the order of their ordinals.

    `reach` holds channel bits, `language` numbers of `tags` counted from 1, 0 for none.
    """

    ids: Ids
    versions: Versions
    reach: NDArray[np.uint8]
    language: NDArray[np.uint16] | None = None
    tags: Sequence[str] = ()

    def traits(self) -> Traits:
        """Return language and channels of each in one number."""
        traits = self.reach.astype(np.uint16)
        if self.language is not None:
            traits |= self.language << np.uint16(CHANNEL_BITS)
        return traits


@dataclass(frozen=True, slots=True)
class Everybody:
    """All people as of a moment; `slots` are those of the table that finds them by id."""

    ids: Words
    versions: Versions
    traits: Traits
    tags: Sequence[str]
    slots: Slots


def enrol(roll: Roll) -> Everybody:
    """Make everybody of a roll."""
    ids = np.array(roll.ids, ID).view(np.uint64).reshape(-1, 2)
    return Everybody(
        ids=ids,
        versions=roll.versions.copy(),
        traits=roll.traits(),
        tags=["", *roll.tags],
        slots=make_id_table(ids).slots,
    )


class People:
    """Grows, never shrinks; an ordinal stays the same for the life of the index."""

    def __init__(self, everybody: Everybody) -> None:
        self.count = len(everybody.ids)
        self.ids = everybody.ids
        self.versions = everybody.versions
        self.traits = everybody.traits
        self.languages = Languages(everybody.tags)
        self.marks: NDArray[np.bool_] = np.zeros(self.count, np.bool_)
        self._table = IdTable(everybody.slots)

    def as_they_are(self) -> Everybody:
        """Return everybody as of now; what is changed in place is copied, some ms a million."""
        return Everybody(
            ids=self.ids[: self.count],
            versions=self.versions[: self.count].copy(),
            traits=self.traits[: self.count].copy(),
            tags=tuple(self.languages.tags),
            slots=self._table.slots.copy(),
        )

    def ordinals(self, ids: Words) -> Ordinals:
        """Return the ordinal of each id, giving new ones to people not met before."""
        found = self._table.find(self.ids, ids)
        unknown = np.flatnonzero(found < 0)
        if unknown.size:
            new, nth = _once(ids[unknown])
            found[unknown] = self.count + nth
            self._add(new)
        return found

    def write(self, person: Ordinals, versions: Versions, traits: Traits) -> None:
        """Note the versions and traits of people."""
        self.versions[person] = versions
        self.traits[person] = traits

    def _add(self, ids: Words) -> None:
        begin, self.count = self.count, self.count + len(ids)
        if self.count > len(self.ids):
            self._grow(max(1024, self.count + self.count // GROWTH))
        self.ids[begin : self.count] = ids
        if self._table.has_room(self.count):
            self._table.add(self.ids, np.arange(begin, self.count, dtype=np.int32))
        else:
            self._table = make_id_table(self.ids[: self.count])

    def _grow(self, size: int) -> None:
        # Copies: views taken before keep the columns they were given.
        self.ids, self.versions = longer(self.ids, size), longer(self.versions, size)
        self.traits, self.marks = longer(self.traits, size), longer(self.marks, size)


def _once(ids: Words) -> tuple[Words, Ordinals]:
    """Return ids each once in the order they come, and which of these each one is."""
    if np.unique(ids[:, 0]).size == len(ids):
        return ids, np.arange(len(ids), dtype=np.int32)
    met: dict[bytes, int] = {}
    nth = [met.setdefault(one.tobytes(), len(met)) for one in ids]
    return np.frombuffer(b"".join(met), np.uint64).reshape(-1, 2), np.array(nth, np.int32)
