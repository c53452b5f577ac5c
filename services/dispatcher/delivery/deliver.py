"""Delivers: claims, lets go of the database, hands over to the provider, writes the outcomes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Self, TypeAlias
from uuid import UUID

from services.dispatcher.contacts.report_contact import report_contact
from services.dispatcher.delivery import store
from services.dispatcher.delivery.claims.claim import claim
from services.dispatcher.delivery.pacing import (
    URGENCY,
    Rest,
    Slots,
    ended,
    hold_s,
    pace,
    reason_of,
    unsent,
)
from services.dispatcher.delivery.states import LEASE_S, Claimed, DeliveryState, Outcome
from services.dispatcher.delivery.wording.compose import Composer
from services.dispatcher.providers.base import InvalidAddress, OptedOut, Provider, ProviderError
from shared.bus.errors import BusUnavailable
from shared.bus.message import Message
from shared.bus.outbox import Outbox
from shared.clock import Clock
from shared.db.session import ALL_TOWNS, Database, Tx, is_transient
from shared.db.transient import is_bad_value
from shared.events.delivery import DeliveryRequested
from shared.identifiers import derive_id
from shared.watch.failpoints import fp
from shared.watch.logs import get_logger
from shared.watch.metrics import Counter, Histogram

log = get_logger(__name__)

outcomes_total = Counter(
    "ctalert_hand_overs_total", "What came of attempts", ["channel", "outcome"]
)
hand_over_seconds = Histogram(
    "ctalert_hand_over_seconds", "Time in the provider's hands", ["channel"]
)

EXERCISE = "exercise"
SEND_S = 12.0
DRAIN_S = 13.0
# The watchdog of a worker takes a lane for dead that is silent much longer than this.
TURN_S = 45.0
_FLUSH_S = 0.05
FLUSH_ROWS = 64
_FAILURES_BEFORE_PAGE = 20

Done: TypeAlias = tuple[Claimed, Outcome, ProviderError | None, float]


class Deliverer:
    """One channel's hand-over in one process: slots, provider, and the outcomes not yet written.

    A round has five steps, and their order is the promise:
    1. wait for free slots; 2. claim at most that many and commit; 3. hand over, holding no
    connection; 4. write the outcomes in batches, guarded by epoch; 5. the handler returned after
    2, so offsets commit beside 3: what dies in between ends its lease and is looked up.
    """

    def __init__(
        self,
        *,
        database: Database,
        provider: Provider,
        composer: Composer,
        outbox: Outbox,
        clock: Clock,
        page: Callable[[str], Awaitable[None]],
        slots: int,
        exercise: bool = False,
    ) -> None:
        self._database, self._provider, self._composer = database, provider, composer
        self._outbox, self._clock, self._page = outbox, clock, page
        self._slots = Slots(slots)
        self._exercise = exercise
        self._rest = Rest()
        self._sending: set[asyncio.Task[None]] = set()
        self._done: list[Done] = []
        self._wake = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
        self._users = 0
        self._stopping = False

    async def __aenter__(self) -> Self:
        self._users += 1
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._keep_flushing(), name="deliver.flush")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._users -= 1
        if self._users == 0:
            await self._drain()

    def stop(self) -> None:
        """Claim nothing more; what is claimed and not begun is given back."""
        self._stopping = True

    async def handle(self, messages: Sequence[Message], *, priority: str) -> None:
        """Claim the deliveries asked for and begin to send them; return when all are claimed.

        Raises:
            BusUnavailable: this process is stopping, or had no free slot for long; the records
                come again, and what is claimed is passed over then.
        """
        events = [one.event for one in messages]
        ids = [one.delivery_id for one in events if isinstance(one, DeliveryRequested)]
        waiting = list(dict.fromkeys(ids))
        until = asyncio.get_running_loop().time() + TURN_S
        while waiting:
            try:
                async with asyncio.timeout_at(until):
                    await self._rest.over()
                    taken = await self._slots.take(len(waiting), rank=URGENCY[priority])
            except TimeoutError:
                raise BusUnavailable("the provider rests, or others go first") from None
            if self._stopping:
                self._slots.give_back(taken)
                raise BusUnavailable("stopping: not claimed")
            # Shielded: a claim cut off in mid-commit would be a claim that nobody knows of.
            step = asyncio.ensure_future(self._claim_and_begin(waiting[:taken], slots=taken))
            await asyncio.shield(step)
            waiting = waiting[taken:]

    async def _claim_and_begin(self, ids: Sequence[UUID], *, slots: int) -> None:
        claimed, asked_at = list[Claimed](), time.monotonic()
        try:
            name, channel = self._provider.name, self._provider.channel
            async with self._database.transaction(town=ALL_TOWNS) as tx:
                taken = await claim(tx, ids, provider=name, channel=channel)
            claimed = taken  # not before the commit: another may have made a claim that failed
            fp("dispatcher.after_claim_commit")
            await self._composer.prepare(claimed)
        except BaseException:
            self._slots.give_back(slots)
            for one in claimed:
                self._note(one, unsent(one, "not_prepared"))
            raise
        self._slots.give_back(slots - len(claimed))
        for one in claimed:
            task = asyncio.create_task(self._send(one, asked_at))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, one: Claimed, asked_at: float) -> None:
        """Hand one delivery over if its lease still holds; its outcome waits for the flush."""
        try:
            outcome, error = await self._hand_over(one, asked_at)
            self._note(one, outcome, error)
        finally:
            self._slots.give_back()

    async def _hand_over(
        self, one: Claimed, asked_at: float
    ) -> tuple[Outcome, ProviderError | None]:
        fp("dispatcher.after_sending_commit")
        error: ProviderError
        try:
            message = self._composer.compose(one)
        except ProviderError as fault:
            return await self._failed(one, fault), fault
        # On the monotonic clock: a process that was stopped for a minute must not send now.
        age_s = time.monotonic() - asked_at
        if self._stopping or age_s > LEASE_S - SEND_S or age_s >= one.seconds_left:
            return unsent(one, "given_back"), None
        # Records are not signed: what decides is the row, whatever topic it was asked for on.
        if (one.priority == EXERCISE) is not self._exercise:
            return unsent(one, "other_lane"), None
        try:
            with hand_over_seconds.labels(one.channel).time():
                async with asyncio.timeout(SEND_S):
                    accepted = await self._provider.send(message)
        except ProviderError as fault:
            error = fault
        except Exception as fault:
            # A timeout, or a fault of ours: the bytes may have left.
            if not isinstance(fault, TimeoutError):
                log.exception("delivery.provider_raised", delivery_id=str(one.delivery_id))
            wait_s = hold_s(one.channel, one.priority)
            return ended(
                one, DeliveryState.UNKNOWN, type(fault).__name__, "ambiguous", due_in_s=wait_s
            ), None
        else:
            fp("dispatcher.after_reply")
            self._rest.note(None)
            return Outcome(
                one.delivery_id, one.epoch, DeliveryState.ACCEPTED, "accepted",
                provider=self._provider.name, sid=accepted.sid,
            ), None  # fmt: skip
        return await self._failed(one, error), error

    async def _failed(self, one: Claimed, error: ProviderError) -> Outcome:
        self._rest.note(error)
        log.warning(
            "delivery.not_handed_over",
            delivery_id=str(one.delivery_id),
            channel=one.channel,
            code=error.code,
        )
        if error.page:
            await self._page(f"{self._provider.name} {one.channel}: {error.sentence}")
        return pace(error, one, provider=self._provider.name)

    def _note(self, one: Claimed, outcome: Outcome, error: ProviderError | None = None) -> None:
        outcomes_total.labels(one.channel, outcome.outcome).inc()
        self._done.append((one, outcome, error, time.monotonic()))
        self._wake.set()

    async def _keep_flushing(self) -> None:
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            if len(self._done) < FLUSH_ROWS:
                await asyncio.sleep(_FLUSH_S)
            try:
                await self._flush()
                failures = 0
            except Exception as error:
                failures += 1
                if not is_transient(error):
                    log.exception("delivery.flush_failed", rows=len(self._done))
                if failures == _FAILURES_BEFORE_PAGE:
                    await self._page("outcomes of hand-overs cannot be written")
                await asyncio.sleep(min(2.0, 0.1 * 2 ** min(failures, 5)))
                self._wake.set()

    async def _flush(self) -> None:
        """Write what waits; an outcome that no database takes is left to its lease's end."""
        waiting, self._done = self._done, []
        size = len(waiting)
        try:
            while waiting:
                try:
                    await self._write(waiting[:size])
                except Exception as error:
                    if not (is_bad_value(error) or isinstance(error, ValueError)):
                        raise
                    if size > 1:
                        size = 1
                        continue
                    log.exception("delivery.outcome_garbled", id=str(waiting[0][0].delivery_id))
                    await self._page("an outcome of a hand-over can never be written")
                waiting = waiting[size:]
        finally:
            self._done = waiting + self._done

    async def _write(self, batch: Sequence[Done]) -> None:
        now = time.monotonic()
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            await store.record_outcomes(
                tx, [replace(outcome, age_s=now - at) for _, outcome, _, at in batch]
            )
            for one, _, error, at in batch:
                await self._report(tx, one, error, age_s=now - at)
        fp("dispatcher.after_outcome_commit")

    async def _report(
        self, tx: Tx, one: Claimed, error: ProviderError | None, *, age_s: float
    ) -> None:
        if one.kind == "notice" or not isinstance(error, OptedOut | InvalidAddress):
            return
        await report_contact(
            tx,
            report_id=derive_id("report", one.delivery_id, one.epoch),
            channel=one.channel,
            address_hash=one.address_hash,
            hash_key_id=one.hash_key_id,
            reason=reason_of(error, one.channel),
            code=error.code,
            # Of the refusal, not of its writing: an opt-in between the two must hold.
            at=self._clock.now() - timedelta(seconds=age_s),
            outbox=self._outbox,
        )

    async def _drain(self) -> None:
        """Let what has begun end, give back the rest, write every outcome, close the provider."""
        self._stopping = True
        if self._sending:
            await asyncio.wait(list(self._sending), timeout=DRAIN_S)
        flusher, self._flusher = self._flusher, None
        if flusher is not None:
            flusher.cancel()
            await asyncio.gather(flusher, return_exceptions=True)
        try:
            async with asyncio.timeout(5.0):
                await self._flush()
        except Exception:
            # Their leases end by themselves and timers resolve them.
            log.exception("delivery.outcomes_unwritten", rows=len(self._done))
        await self._provider.close()
