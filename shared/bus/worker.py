"""A consumer group's member: partitions side by side, records of one in order, nothing skipped."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress

from shared.bus.dead_letters import DeadLetters
from shared.bus.errors import BusUnavailable, Stalled
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.subscription import Place, Subscription
from shared.bus.lane import Lane, Patience
from shared.bus.message import Handler
from shared.bus.paging import pager
from shared.clock import Clock, SystemClock
from shared.events.topics import Topic
from shared.security.signing import Verifier
from shared.watch.logs import get_logger
from shared.watch.metrics import Gauge

log = get_logger(__name__)

lag_gauge = Gauge("ctalert_consumer_lag", "Offsets still to be passed", ["group"])

OnPage = Callable[[str], Awaitable[None]]


class Worker:
    """Reads topics for one group and hands their records to handlers, at least once.

    A round has five steps, and their order is the promise:
    1. poll a batch; 2. queue it in its partition's lane (a lane with enough is paused);
    3. the lane hands it to the handler, which returns once its database has committed;
    4. only then is the next offset noted; 5. what is noted is committed to Kafka together.
    Losing 5 means the records come again; handlers are idempotent.
    """

    def __init__(
        self,
        *,
        name: str,
        bus: Bus,
        group: str,
        handlers: Mapping[Topic, Handler],
        verifier: Verifier | None = None,
        on_page: OnPage | None = None,
        max_batch: int = 500,
        max_parallel: int = 8,
        commit_every_s: float = 0.1,
        drain_s: float = 15.0,
        stall_s: float = 30.0,
        patience: Patience | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._bus = bus
        self._group = group
        self._handlers = dict(handlers)
        self._verifier = verifier
        self._page = pager(on_page, service=name)
        self._max_batch = max_batch
        self._turns = asyncio.Semaphore(max_parallel)
        self._commit_every_s = commit_every_s
        self._drain_s = drain_s
        self._stall_s = stall_s
        self._patience = patience or Patience()
        self._clock = clock or SystemClock()
        self._lanes: dict[Place, Lane] = {}
        self._committed: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self._progress_at = 0.0
        self._markers_at = 0.0
        self._assigned = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Tell whether the group has given us partitions."""
        return self._assigned.is_set()

    async def wait_ready(self) -> None:
        """Return once the group has given us partitions."""
        await self._assigned.wait()

    async def check(self) -> None:
        """Raise when the worker is no member of its group: for readiness.

        Raises:
            BusUnavailable: it is not.
        """
        if not self.ready:
            raise BusUnavailable(f"{self.name} has no partitions")

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop, then drain and leave the group.

        Raises:
            Stalled: records wait and nothing moved for `stall_s`; the process must be replaced.
            BusError: a dead letter could not be written; nothing was committed past it.
        """
        async with self._bus.producer() as producer:
            self._letters = DeadLetters(producer, group=self._group, clock=self._clock)
            wait_s = 0.2
            while not stop.is_set():
                try:
                    await self._run_once(stop)
                    wait_s = 0.2
                except BusUnavailable as error:
                    failed = self._failure()
                    if failed is not None:
                        raise failed from error
                    log.warning("bus.reconnecting", group=self._group, error=str(error))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), wait_s)
                    wait_s = min(wait_s * 2, 5.0)

    async def _run_once(self, stop: asyncio.Event) -> None:
        """Live through one connection."""
        subscription = Subscription(
            self._bus,
            group=self._group,
            topics=list(self._handlers),
            on_assigned=self._take,
            on_revoked=self._give_back,
            on_lost=self._lost,
        )
        self._subscription = subscription
        await subscription.open()
        self._touch()
        committer = asyncio.create_task(self._keep_committing(), name=f"{self.name}:commit")
        watchdog = asyncio.create_task(self._watch(), name=f"{self.name}:watchdog")
        stopping = asyncio.create_task(stop.wait(), name=f"{self.name}:stop")
        try:
            while not stop.is_set():
                await self._poll(stopping)
                failed = self._failure() or (watchdog.exception() if watchdog.done() else None)
                if failed is not None:
                    raise failed
        finally:
            for task in (stopping, committer, watchdog):
                task.cancel()
            await asyncio.gather(stopping, committer, watchdog, return_exceptions=True)
            await self._give_back(list(self._lanes))
            await subscription.close()

    async def _poll(self, stopping: "asyncio.Task[bool]") -> None:
        poll = asyncio.create_task(
            self._subscription.poll(wait_ms=300, max_records=self._max_batch * 4)
        )
        try:
            await asyncio.wait([poll, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not poll.done():
                poll.cancel()
                await asyncio.gather(poll, return_exceptions=True)
        if poll.cancelled():
            return
        for place, records in poll.result().items():
            lane = self._lanes.get(place)
            if lane is not None and records:
                lane.add(records)
        await self._pass_markers()
        self._press()

    def _press(self) -> None:
        """Pause the lanes that have enough and resume those that have room again."""
        for place, lane in self._lanes.items():
            full = lane.held or lane.waiting >= self._max_batch * 2
            if full and place not in self._paused:
                self._subscription.pause(place)
                self._paused.add(place)
            elif place in self._paused and not lane.held and lane.waiting < self._max_batch:
                self._subscription.resume(place)
                self._paused.discard(place)

    async def _take(self, assigned: Collection[Place]) -> None:
        for place in assigned:
            topic = self._subscription.topic(place)
            lane = Lane(
                topic=topic,
                partition=place.partition,
                group=self._group,
                handler=self._handlers[topic],
                verifier=self._verifier,
                letters=self._letters,
                page=self._page,
                on_progress=self._touch,
                turns=self._turns,
                max_batch=self._max_batch,
                patience=self._patience,
            )
            self._lanes[place] = lane
            lane.start()
        self._touch()
        self._assigned.set()

    async def _give_back(self, revoked: Collection[Place]) -> None:
        """Let what has begun finish, forget the rest, and commit what was done."""
        going = {place: lane for place, lane in self._lanes.items() if place in set(revoked)}
        await asyncio.gather(*(lane.close(patience_s=self._drain_s) for lane in going.values()))
        await self._commit(patience_s=3.0)
        for place, lane in going.items():
            if lane.failure is None:
                # Stopped in the middle of a rebalance, both give the same back.
                self._lanes.pop(place, None)
            self._committed.pop(place, None)
            self._paused.discard(place)
        self._assigned.clear()

    async def _lost(self, place: Place, why: str) -> None:
        await self._page(f"{place.topic}/{place.partition} lost records unread: {why}")

    async def _keep_committing(self) -> None:
        while True:
            await asyncio.sleep(self._commit_every_s)
            await self._commit(patience_s=self._bus.timeout_s)

    async def _commit(self, *, patience_s: float) -> None:
        due = {
            place: lane.next_offset
            for place, lane in self._lanes.items()
            if lane.next_offset is not None and self._committed.get(place) != lane.next_offset
        }
        if due and await self._subscription.commit(due, patience_s=patience_s):
            self._committed.update(due)

    async def _watch(self) -> None:
        """Notice a consumer that has stopped for good.

        Raises:
            Stalled: records wait and nothing was tried for too long.
        """
        loop = asyncio.get_running_loop()
        every_s = min(5.0, self._stall_s / 3)
        while True:
            await asyncio.sleep(every_s)
            lag = await self._lag()
            lag_gauge.labels(self._group).set(lag or 0)
            if not lag:
                self._touch()
            elif loop.time() - self._progress_at > self._stall_s:
                log.critical("bus.stalled", group=self._group, lag=lag)
                raise Stalled(f"{self._group}: {lag} records wait and nothing moves")

    async def _pass_markers(self) -> None:
        """Move idle lanes over transaction markers, which are offsets without a record.

        Only between two polls: during one, a position may already be past records that no lane
        has been given yet.
        """
        now = asyncio.get_running_loop().time()
        if now < self._markers_at:
            return
        self._markers_at = now + 1.0
        for place, position in (await self._subscription.positions(patience_s=0.5)).items():
            lane = self._lanes.get(place)
            if lane is None or not lane.idle or lane.held:
                continue
            if lane.next_offset is None or lane.next_offset < position:
                lane.next_offset = position

    async def _lag(self) -> int | None:
        """Return how far the lanes are behind, or None where nobody can tell."""
        places = [place for place, lane in self._lanes.items() if not lane.held]
        if not places:
            return None
        try:
            ends = await self._subscription.ends(places, patience_s=5.0)
        except BusUnavailable:
            return None
        behind = 0
        for place in places:
            lane = self._lanes.get(place)
            if lane is not None:
                behind += max(0, ends[place] - (lane.next_offset or 0))
        return behind

    def _touch(self) -> None:
        self._progress_at = asyncio.get_running_loop().time()

    def _failure(self) -> BaseException | None:
        for lane in self._lanes.values():
            if lane.failure is not None:
                return lane.failure
        return None
