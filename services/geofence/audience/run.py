"""One run of resolving an alert version: whom it has published, in how many chunks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.geofence.areas.area import Area
from services.geofence.audience.chunks import Chunk, Cutter
from services.geofence.index.view import View
from shared.events.alert import AlertApproved
from shared.events.audience import AudienceCompleted, AudienceResolved
from shared.events.base import Event
from shared.watch.failpoints import fp

Publish = Callable[[Sequence[Event]], Awaitable[None]]
T = TypeVar("T")

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
