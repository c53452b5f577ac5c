"""A few processes kept warm that work on geometry; one that takes too long is killed."""

import asyncio
import contextlib
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shapely.geometry.base import BaseGeometry

from services.geofence.areas.workshop.job import Job, read_answer
from services.geofence.areas.workshop.lane import Busy, Lane
from services.geofence.layers.geometry import GeometryRefused
from shared.watch.logs import get_logger

T = TypeVar("T")
log = get_logger(__name__)

# By the clock; the process ends itself when it has worked for 2 s.
LIMIT_S = 6.0
# A process starts in a third of a second; on a machine that is busy with others, in many.
START_S = 30.0
HANDS = 3
# Of them for areas that wait for an approval alone: no number of previews ever holds every hand.
KEPT = 1
_HAND = "services.geofence.areas.workshop.hand"
_LENGTH = struct.Struct("<Q")


class Workshop:
    """Makes areas in processes apart, as many at a time as it has hands.

    So a shape that would take minutes, or all memory, costs its own caller two seconds of work and
    nobody else anything: the process ends, and another takes its place.
    """

    name = "workshop"

    def __init__(self, *, hands: int = HANDS, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._hands = hands
        self._kept = min(KEPT, hands - 1)
        self._slots = Lane(hands)
        self._previews = Lane(hands - self._kept)
        self._approvals = 0
        # Of its own, so that whoever has a hand has a thread.
        self._threads = ThreadPoolExecutor(hands, thread_name_prefix="workshop")
        self._idle: list[_Hand] = []
        self._hiring: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, stop: asyncio.Event) -> None:
        """Keep processes warm until told to stop."""
        for _ in range(self._hands - len(self._idle)):
            self._hire_later()
        await stop.wait()
        await self.close()

    async def close(self) -> None:
        """End every process."""
        self._closed = True
        for task in list(self._hiring):
            task.cancel()
        await asyncio.gather(*self._hiring, return_exceptions=True)
        idle, self._idle = self._idle, []
        await asyncio.gather(*(hand.end() for hand in idle))

    async def make(self, job: Job, *, for_approval: bool = False) -> BaseGeometry:
        """Make the area of a job; one for an approval finds a hand whatever previews there are.

        Raises:
            GeometryRefused: it is refused, or took too long.
            Busy: too many others are waiting.
        """
        async with self._slot(for_approval=for_approval):
            data = await self._in_thread(job.pack)
            answer = await self._ask(data, for_approval=for_approval)
            return await self._in_thread(lambda: read_answer(answer))

    @contextlib.asynccontextmanager
    async def _slot(self, *, for_approval: bool) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as turns:
            if not for_approval:
                await turns.enter_async_context(self._previews.turn())
            await turns.enter_async_context(self._slots.turn())
            self._approvals += for_approval
            try:
                yield
            finally:
                self._approvals -= for_approval

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _ask(self, data: bytes, *, for_approval: bool) -> bytes:
        for _ in range(2):
            # A bomb may just have ended those that were theirs: previews wait for new ones.
            leave = 0 if for_approval else max(0, self._kept - self._approvals)
            hand = self._idle.pop() if len(self._idle) > leave else await self._hire_now()
            try:
                return await asyncio.wait_for(hand.ask(data), self._limit_s)
            except TimeoutError:
                break
            except (asyncio.IncompleteReadError, ConnectionError):
                # It may have died before it was asked; if another dies too, it is of this.
                if await hand.ran_out_of_time():
                    break
            finally:
                await self._put_back(hand)
        log.warning("workshop.too_long", bytes=len(data))
        raise GeometryRefused(
            "too-complex", "/include", "The shapes take too long to be worked on.", status=413
        )

    async def _put_back(self, hand: "_Hand") -> None:
        if not hand.is_free:
            self._hire_later()
        await self._keep(hand)

    async def _keep(self, hand: "_Hand") -> None:
        if hand.is_free and len(self._idle) < self._hands and not self._closed:
            self._idle.append(hand)
        else:
            await hand.end()

    def _hire_later(self) -> None:
        if not self._closed:
            task = asyncio.create_task(self._hire())
            self._hiring.add(task)
            task.add_done_callback(self._hiring.discard)

    async def _hire(self) -> None:
        with contextlib.suppress(Busy):
            await self._keep(await self._hire_now())

    async def _hire_now(self) -> "_Hand":
        try:
            return await _Hand.hire()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            log.exception("workshop.cannot_hire")
            raise Busy from None


class _Hand:
    """One process: free while nothing is being asked of it and it lives."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        jobs: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
    ) -> None:
        self._process = process
        self._jobs = jobs
        self._answers = answers
        self._asked = False

    @classmethod
    async def hire(cls) -> "_Hand":
        """Start a process and wait until it is ready.

        Raises:
            TimeoutError: it does not get ready.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _HAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        if process.stdin is None or process.stdout is None:
            raise OSError("a process without pipes")
        hand = cls(process, process.stdin, process.stdout)
        try:
            await asyncio.wait_for(process.stdout.readexactly(1), START_S)
        except BaseException:
            await hand.end()
            raise
        return hand

    @property
    def is_free(self) -> bool:
        """Say whether it lives and owes no answer."""
        return not self._asked and self._process.returncode is None

    async def ask(self, data: bytes) -> bytes:
        """Send a job and return the answer."""
        self._asked = True
        self._jobs.write(_LENGTH.pack(len(data)) + data)
        await self._jobs.drain()
        (size,) = _LENGTH.unpack(await self._answers.readexactly(_LENGTH.size))
        answer = await self._answers.readexactly(size)
        self._asked = False
        return answer

    async def ran_out_of_time(self) -> bool:
        """Say whether it ended because its work took too long."""
        return await self._process.wait() == -signal.SIGPROF

    async def end(self) -> None:
        """Kill the process and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._jobs.close()


def _environment() -> dict[str, str]:
    """Return what a process needs to find its modules: nothing of our settings and secrets."""
    return {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PATH": os.environ.get("PATH", os.defpath),
        # Threads would only take address space from the limit.
        "OPENBLAS_NUM_THREADS": "1",
    }
