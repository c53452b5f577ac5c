"""Cuts blocks of matched people into chunks an event can carry."""

from base64 import b64encode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from services.geofence.index.columns import Ordinals
from services.geofence.index.view import Block, View
from shared.events.audience import AudienceResolved
from shared.identifiers import new_id

MOST_IDS = 5_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Packed 16-byte ids of people inside an area, and of those inside by uncertainty only."""

    inside: bytes
    by_uncertainty: bytes

    @property
    def members(self) -> int:
        """The number of people in it."""
        return (len(self.inside) + len(self.by_uncertainty)) // 16

    def encoded(self) -> dict[str, str]:
        """Return the two fields as the event writes them."""
        return {
            "inside": b64encode(self.inside).decode("ascii"),
            "by_uncertainty": b64encode(self.by_uncertainty).decode("ascii"),
        }


@dataclass(slots=True)
class Cutter:
    """Collects blocks and gives out full chunks, and at the end what is left."""

    view: View
    inside: list[Ordinals] = field(default_factory=list)
    uncertain: list[Ordinals] = field(default_factory=list)
    waiting: int = 0

    def add(self, block: Block) -> Iterator[Chunk]:
        """Take a block in and yield the chunks that are full with it."""
        at = 0
        while self.waiting + len(block.people) - at >= MOST_IDS:
            room = MOST_IDS - self.waiting
            self._keep(block.people[at : at + room], uncertain=block.by_uncertainty)
            at += room
            yield self._cut()
        self._keep(block.people[at:], uncertain=block.by_uncertainty)

    def rest(self) -> Iterator[Chunk]:
        """Yield the last chunk, unless nothing is left."""
        if self.waiting:
            yield self._cut()

    def _keep(self, people: Ordinals, *, uncertain: bool) -> None:
        (self.uncertain if uncertain else self.inside).append(people)
        self.waiting += len(people)

    def _cut(self) -> Chunk:
        nobody = np.empty(0, np.int32)
        chunk = Chunk(
            self.view.packed_ids(np.concatenate([nobody, *self.inside])),
            self.view.packed_ids(np.concatenate([nobody, *self.uncertain])),
        )
        self.inside, self.uncertain, self.waiting = [], [], 0
        return chunk


def cut_people(inside: Sequence[UUID], around: Sequence[UUID]) -> Iterator[Chunk]:
    """Yield chunks of people, those inside by uncertainty last."""
    people = [one.bytes for one in (*inside, *around)]
    for first in range(0, len(people), MOST_IDS):
        some, within = people[first : first + MOST_IDS], max(0, len(inside) - first)
        yield Chunk(b"".join(some[:within]), b"".join(some[within:]))


def late_chunks(
    inside: Collection[UUID],
    around: Collection[UUID],
    *,
    alert_id: UUID,
    version: int,
    digest: str,
) -> Iterator[AudienceResolved]:
    """Yield chunks of late joiners of an alert version, those inside by uncertainty last."""
    for chunk in cut_people(sorted(inside), sorted(around)):
        yield AudienceResolved(
            alert_id=alert_id,
            version=version,
            run_id=new_id(),
            chunk=0,
            area_digest=digest,
            late=True,
            **chunk.encoded(),
        )
