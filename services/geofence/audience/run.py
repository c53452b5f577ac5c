"""One run of resolving an alert version: whom it has published, in how many chunks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.geofence.areas.area import Area
from services.geofence.audience.chunks import Chunk, Cutter, cut_people
from services.geofence.audience.leavers.stays import met_by
from services.geofence.index.view import View
from shared.events.alert import AlertApproved
from shared.events.audience import AudienceCompleted, AudienceResolved
from shared.events.base import Event
from shared.watch.failpoints import fp

Publish = Callable[[Sequence[Event]], Awaitable[None]]
T = TypeVar("T")

_ID = np.dtype("S16")
# Chunks waited for together: 4 are 20,000 people and half a megabyte.
TOGETHER = 4
# As many as there are alerts side by side; of its own, so that a warning waits for no preview.
_threads = ThreadPoolExecutor(8, thread_name_prefix="audience")


@dataclass(slots=True)
class Run:
    """Knows what it has published, so that a second look publishes only the difference."""

    run_id: UUID
    alert: AlertApproved
    area: Area
    publish: Publish
    chunks: int = 0
    members: int = 0
    went_early: bool = False
    # False while a keeper stood in the gate: who leaves by what it keeps is known to nobody.
    knows_leavers: bool = True
    _seen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    _lineage: object = None
    _packed: list[bytes] = field(default_factory=list)

    async def publish_new(self, view: View) -> None:
        """Publish everybody in the area who has not been published by this run.

        Raises:
            OutsideArea: the index answered with a place outside the area; nothing more is sent.
        """
        seen = np.zeros(len(view.stale), np.bool_)
        if view.lineage is self._lineage:
            seen[: len(self._seen)] = self._seen
        elif self._packed:
            # A rebuilt index numbers people anew: those already published are known by id.
            told = np.frombuffer(b"".join(self._packed), view.ids.dtype)
            known = view.ids[: len(seen)]
            seen = await _in_thread(lambda: np.isin(known, told))
        self._seen, self._lineage = seen, view.lineage
        waiting: list[AudienceResolved] = []
        async for chunk in self._chunks_of(view):
            self.members += chunk.members
            waiting.append(self._event(chunk))
            # The first leaves alone, so that it leaves at once.
            if self.chunks == 1 or len(waiting) >= TOGETHER:
                await self.publish(waiting)
                waiting = []
                fp("geofence.between_chunks")
        if waiting:
            await self.publish(waiting)

    async def publish_left(self, left: Sequence[Mapping[Any, Any]]) -> None:
        """Publish whose left places were in the area, unless this run has published them.

        As people of the run, not as late joiners: one that says it found nobody holds its alert.
        """
        for chunk in await _in_thread(lambda: self._untold(left)) if left else ():
            self.members += chunk.members
            # No view has marked them as seen: the next one is to look for them by id.
            self._lineage = None
            await self.publish([self._event(chunk)])

    async def publish_completed(self, *, offsets: Mapping[int, int], topic_id: str) -> None:
        """Publish how much this run was and which roster it saw."""
        fp("geofence.before_completed")
        await self.publish(
            [
                AudienceCompleted(
                    alert_id=self.alert.alert_id,
                    version=self.alert.version,
                    run_id=self.run_id,
                    chunks=self.chunks,
                    members=self.members,
                    roster_offsets={str(one): offset for one, offset in offsets.items()},
                    roster_topic_id=topic_id,
                    area_digest=self.area.digest,
                )
            ]
        )

    async def _chunks_of(self, view: View) -> AsyncIterator[Chunk]:
        """Yield chunks while the next blocks are matched in a thread."""
        cutter = Cutter(view)
        blocks = view.blocks(self.area.geometry, seen=self._seen)
        while (block := await _in_thread(lambda: next(blocks, None))) is not None:
            for chunk in cutter.add(block):
                yield chunk
        for chunk in cutter.rest():
            yield chunk

    def _untold(self, left: Sequence[Mapping[Any, Any]]) -> list[Chunk]:
        inside, around = met_by(self.area.geometry, left)
        people = np.array([one.bytes for one in inside | around], _ID)
        told = np.frombuffer(b"".join(self._packed), _ID)
        # This way round a few are looked for among very many without sorting those.
        known = told[np.isin(told, people)].tobytes()
        seen = {UUID(bytes=known[at : at + 16]) for at in range(0, len(known), 16)}
        return list(cut_people(sorted(inside - seen), sorted(around - seen)))

    def _event(self, chunk: Chunk) -> AudienceResolved:
        event = AudienceResolved(
            alert_id=self.alert.alert_id,
            version=self.alert.version,
            run_id=self.run_id,
            chunk=self.chunks,
            area_digest=self.area.digest,
            **chunk.encoded(),
        )
        self.chunks += 1
        self._packed += [chunk.inside, chunk.by_uncertainty]
        return event


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, work)
