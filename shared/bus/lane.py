"""One partition's work: its records one after the other, whatever happens to one of them."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.bus.dead_letters import DeadLetters
from shared.bus.errors import BusError, NotYet, passes
from shared.bus.message import Handler, Message
from shared.bus.reading import read
from shared.events.envelope import Poison, UnknownMajor
from shared.events.topics import Topic
from shared.security.signing import Verifier
from shared.watch.failpoints import fp
from shared.watch.logs import get_logger
from shared.watch.metrics import Counter

log = get_logger(__name__)

handled = Counter("ctalert_records_handled_total", "Records handled", ["group", "topic"])
retried = Counter("ctalert_records_retried_total", "Attempts repeated", ["group", "topic", "why"])


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a lane tries; seconds.

    Args:
        raises: attempts of one record before it becomes a dead letter.
        not_yet: waits for what a record speaks of, before it becomes a dead letter.
    """

    raises: int = 5
    raise_wait_s: float = 0.1
    not_yet: int = 3
    not_yet_wait_s: float = 5.0
    transient_wait_s: float = 0.2
    transient_cap_s: float = 5.0
    dead_letter_s: float = 15.0


class Closing(Exception):
    """The lane was told to stop in the middle of waiting; nothing was lost."""


class Lane:
    """The queue of one assigned partition and the task that works it off."""

    def __init__(
        self,
        *,
        topic: Topic,
        partition: int,
        group: str,
        handler: Handler,
        verifier: Verifier | None,
        letters: DeadLetters,
        page: Callable[[str], Awaitable[None]],
        on_progress: Callable[[], None],
        turns: asyncio.Semaphore,
        max_batch: int,
        patience: Patience,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.held = False
        self.next_offset: int | None = None
        self._group = group
        self._handler = handler
        self._verifier = verifier
        self._letters = letters
        self._page = page
        self._on_progress = on_progress
        self._turns = turns
        self._max_batch = max_batch
        self._patience = patience
        self._queue: deque[Any] = deque()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._busy = False
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Return how many records are queued and not begun."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Tell whether everything it was given is done; one that closes has dropped some of it."""
        return not self._queue and not self._busy and not self._closing.is_set()

    @property
    def failure(self) -> BaseException | None:
        """Return what ended the lane, if something did."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    def start(self) -> None:
        """Begin to work."""
        name = f"{self._group}:{self.topic.name}:{self.partition}"
        self._task = asyncio.create_task(self._run(), name=name)

    def add(self, records: Sequence[Any]) -> None:
        """Queue records that came."""
        if not self.held and not self._closing.is_set():
            self._queue.extend(records)
            self._wake.set()

    async def close(self, *, patience_s: float) -> None:
        """Drop what is not begun and wait for what is, at most `patience_s` seconds."""
        self._closing.set()
        self._queue.clear()
        self._wake.set()
        if self._task is None or self._task.done():
            return
        done, _ = await asyncio.wait([self._task], timeout=patience_s)
        if not done:
            log.error("bus.drain_gave_up", topic=self.topic.name, partition=self.partition)
            self._task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._task

    async def _run(self) -> None:
        with suppress(Closing):
            while not self._closing.is_set():
                if not self._queue:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                size = min(len(self._queue), self._max_batch)
                batch = [self._queue.popleft() for _ in range(size)]
                # Not reset where the work fails: such a lane is never idle, so nothing passes it.
                self._busy = True
                await self._work(batch)
                self._busy = False

    async def _work(self, batch: Sequence[Any]) -> None:
        good: list[tuple[Message, Any]] = []
        bad: list[tuple[Any, Poison]] = []
        done_to = batch[-1].offset + 1
        for record in batch:
            try:
                good.append((read(self.topic, record, self._verifier), record))
            except UnknownMajor as error:
                if self.topic.pauses_on_unknown_major:
                    done_to = record.offset
                    self.held = True
                    self._queue.clear()
                    break
                bad.append((record, error))
            except Poison as error:
                bad.append((record, error))
        if good:
            await self._deliver(good)
            handled.labels(self._group, self.topic.name).inc(len(good))
        for record, fault in bad:
            await self._put_aside(record, reason=fault.reason, detail=fault.detail)
        fp("bus.before_commit")
        self.next_offset = done_to
        self._on_progress()
        if self.held:
            await self._page(
                f"unknown major version on {self.topic.name}: partition {self.partition} is held"
            )

    async def _deliver(self, pairs: Sequence[tuple[Message, Any]]) -> None:
        messages = [message for message, _ in pairs]
        tries = 0
        while True:
            try:
                await self._handle(messages)
            except Exception as error:
                self._on_progress()
                if passes(error):
                    tries += 1
                    await self._back_off(tries, error)
                    continue
                if len(pairs) == 1:
                    await self._alone(*pairs[0], first=error)
                    return
                self._count("one-by-one", error)
                break
            else:
                return
        for message, record in pairs:
            await self._alone(message, record, first=None)

    async def _handle(self, messages: Sequence[Message]) -> None:
        async with self._turns:
            await self._handler(messages)

    async def _attempt(self, message: Message) -> Exception | None:
        try:
            await self._handle([message])
        except Exception as error:
            self._on_progress()
            return error
        return None

    async def _alone(self, message: Message, record: Any, *, first: Exception | None) -> None:
        """Handle one record until it works or has had all its attempts."""
        raises = waits = passing = 0
        error = first or await self._attempt(message)
        while error is not None:
            if passes(error):
                passing += 1
                await self._back_off(passing, error)
            elif isinstance(error, Poison):
                await self._put_aside(record, reason=error.reason, detail=error.detail)
                return
            elif isinstance(error, NotYet):
                waits += 1
                if waits > self._patience.not_yet:
                    await self._put_aside(record, reason="not-yet-for-too-long", attempts=waits)
                    return
                self._count("not-yet", error)
                await self._pause(self._patience.not_yet_wait_s)
            else:
                raises += 1
                log.error(
                    "bus.handler_raised",
                    group=self._group,
                    topic=self.topic.name,
                    partition=self.partition,
                    offset=message.offset,
                    attempt=raises,
                    exc_info=error,
                )
                if raises >= self._patience.raises:
                    await self._put_aside(
                        record,
                        reason="handler-raised",
                        detail=type(error).__name__,
                        attempts=raises,
                    )
                    return
                self._count("raised", error)
                await self._pause(self._patience.raise_wait_s * 2**raises)
            error = await self._attempt(message)

    async def _put_aside(
        self, record: Any, *, reason: str, detail: str = "", attempts: int = 0
    ) -> None:
        """Write a dead letter; a partition whose letters cannot be written goes no further."""
        deadline = asyncio.get_running_loop().time() + self._patience.dead_letter_s
        while True:
            try:
                await self._letters.write(
                    self.topic, record, reason=reason, detail=detail, attempts=attempts
                )
                break
            except BusError as error:
                if asyncio.get_running_loop().time() >= deadline:
                    await self._page(f"no dead letter can be written for {self.topic.name}")
                    raise
                self._count("dead-letter", error)
                await self._pause(self._patience.transient_wait_s)
        log.error(
            "bus.dead_letter",
            group=self._group,
            topic=self.topic.name,
            partition=self.partition,
            offset=record.offset,
            reason=reason,
        )
        if self.topic.guarded:
            await self._page(f"dead letter on {self.topic.name}: {reason}")

    async def _back_off(self, tries: int, error: Exception) -> None:
        """Wait with full jitter: the database or the broker is away, the record is not at fault."""
        self._count("transient", error)
        longest = min(self._patience.transient_cap_s, self._patience.transient_wait_s * 2**tries)
        await self._pause(random.uniform(longest / 2, longest))  # noqa: S311  jitter, no secret

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
        if self._closing.is_set():
            raise Closing

    def _count(self, why: str, error: Exception) -> None:
        retried.labels(self._group, self.topic.name, why).inc()
        log.warning(
            "bus.retry",
            group=self._group,
            topic=self.topic.name,
            partition=self.partition,
            why=why,
            error=type(error).__name__,
        )
