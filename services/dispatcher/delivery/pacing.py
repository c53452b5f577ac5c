"""Decides: what follows a failed hand-over, when a provider rests, who gets a free slot."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from services.dispatcher.contacts.report_contact import Reason
from services.dispatcher.delivery.states import (
    MAX_ATTEMPTS,
    Claimed,
    DeliveryState,
    Outcome,
)
from services.dispatcher.providers.base import (
    InvalidAddress,
    Lapsed,
    OptedOut,
    ProviderError,
    TooMany,
    Unreachable,
)
from shared.bus.errors import passes
from shared.watch.logs import get_logger

log = get_logger(__name__)

URGENCY = {"notice": 0, "urgent": 1, "routine": 2, "exercise": 3}
_BUDGET_S = {"Extreme": 1800.0, "Severe": 7200.0}
_OTHER_BUDGET_S = 14400.0
_BASE_S, _CAP_S = 1.0, 60.0
_MISCONFIGURED_S = 10.0
_LANDLINE_CODES = frozenset({"30006", "21614"})
_LINGER_S = 0.02
_FAILURES_BEFORE_PAGE = 30


def hold_s(channel: str, priority: str) -> float:
    """Return how long an uncertain delivery waits for a callback before it is looked up (T_rec)."""
    if channel == "email":
        return 60.0
    return 5.0 if priority in ("urgent", "notice") else 20.0


def budget_s(severity: str) -> float:
    """Return for how long a delivery is tried, in seconds from when it was made."""
    return _BUDGET_S.get(severity, _OTHER_BUDGET_S)


def backoff_s(tries: int) -> float:
    """Return a full-jitter pause after so many tries; the first safe retry is at once."""
    if tries <= 1:
        return 0.0
    return random.uniform(0, min(_CAP_S, _BASE_S * 2 ** (tries - 2)))  # noqa: S311  jitter


def pace(error: ProviderError, one: Claimed, *, provider: str) -> Outcome:
    """Return what becomes of a delivery whose hand-over failed so."""
    state, reason, wait_s = _judge(error, one)
    return Outcome(
        delivery_id=one.delivery_id,
        epoch=one.epoch,
        state=state,
        outcome=type(error).__name__,
        provider=provider,
        code=error.code[:64],
        reason=reason,
        # A provider that cannot be reached was not called: an outage uses up no attempts.
        counted=error.counts and not isinstance(error, Unreachable),
        due_in_s=wait_s,
    )


def _judge(error: ProviderError, one: Claimed) -> tuple[DeliveryState, str, float | None]:
    if error.ambiguous:
        return DeliveryState.UNKNOWN, "ambiguous", hold_s(one.channel, one.priority)
    if error.configuration:
        return DeliveryState.PENDING, "provider_misconfigured", _MISCONFIGURED_S
    if isinstance(error, Lapsed):
        return DeliveryState.EXPIRED, "expired", None
    if error.opted_out:
        return DeliveryState.FAILED, "opted_out", None
    if error.invalid_address:
        return DeliveryState.FAILED, "invalid_address", None
    if not error.retryable:
        return DeliveryState.FAILED, "refused", None
    return _again(error, one)


def _again(error: ProviderError, one: Claimed) -> tuple[DeliveryState, str, float | None]:
    tries = one.attempts + 1
    most = min(MAX_ATTEMPTS, error.most_tries or MAX_ATTEMPTS)
    if tries >= most and error.counts and not isinstance(error, Unreachable):
        return DeliveryState.FAILED, "attempts_used", None
    # Epochs count the calls that were no attempts too, so that they also wait longer and longer.
    wait_s = backoff_s(max(tries, one.epoch))
    if error.waits_s:
        wait_s = error.waits_s[min(tries, len(error.waits_s)) - 1] * random.uniform(0.9, 1.1)  # noqa: S311
    if error.retry_after_s is not None:
        wait_s = max(wait_s, error.retry_after_s)
    age_s = (one.started_at - one.created_at).total_seconds()
    if age_s + wait_s >= budget_s(one.severity) or wait_s >= one.seconds_left:
        return DeliveryState.EXPIRED, "deadline", None
    return DeliveryState.RETRY_WAIT, "retry", wait_s


def reason_of(error: OptedOut | InvalidAddress, channel: str) -> Reason:
    """Return what an address that was refused is reported for."""
    if isinstance(error, OptedOut):
        return "opted_out"
    if error.code in _LANDLINE_CODES:
        return "landline"
    return "hard_bounce" if channel == "email" else "invalid"


def ended(
    one: Claimed, state: DeliveryState, outcome: str, reason: str, due_in_s: float | None = None
) -> Outcome:
    """Return an attempt's end that no provider's error explains."""
    return Outcome(
        delivery_id=one.delivery_id,
        epoch=one.epoch,
        state=state,
        outcome=outcome,
        reason=reason,
        due_in_s=due_in_s,
    )


def unsent(one: Claimed, outcome: str) -> Outcome:
    """Return the giving back of what was claimed and never begun: no attempt, due at once."""
    return Outcome(
        delivery_id=one.delivery_id,
        epoch=one.epoch,
        state=DeliveryState.PENDING,
        outcome=outcome,
        counted=False,
        due_in_s=0.0,
    )


class Rest:
    """One process's breaker for one provider: while it rests, nothing is claimed."""

    def __init__(self) -> None:
        self._until = 0.0
        self._in_a_row = 0

    def note(self, error: ProviderError | None) -> None:
        """Take in how a hand-over went; None means well."""
        if error is None:
            self._in_a_row = 0
            return
        if isinstance(error, Unreachable):
            self._in_a_row += 1
            self._extend(min(8.0, 0.25 * 2 ** min(self._in_a_row, 6)))
        elif error.configuration:
            self._extend(_MISCONFIGURED_S)
        elif isinstance(error, TooMany):
            self._extend(min(30.0, error.retry_after_s or 0.5))

    async def over(self) -> None:
        """Return once the provider may be tried again."""
        loop = asyncio.get_running_loop()
        # The moment itself may move while we wait for it.
        while (left_s := self._until - loop.time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left_s)

    def _extend(self, seconds: float) -> None:
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)


class Slots:
    """The sends one process may have under way; the more urgent waits in front."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.free = total
        self._queue: list[tuple[int, int]] = []
        self._order = itertools.count()
        self._change = asyncio.Event()

    async def take(self, want: int, *, rank: int) -> int:
        """Take at least one slot and at most `want`; linger 20 ms for a fair batch of them."""
        ticket = (rank, next(self._order))
        heapq.heappush(self._queue, ticket)
        try:
            while self._queue[0] != ticket or not self.free:
                await self._change.wait()
            goal = min(want, max(1, self.total // 4))
            if self.free < goal:
                try:
                    async with asyncio.timeout(_LINGER_S):
                        while self.free < goal:
                            await self._change.wait()
                except TimeoutError:
                    pass
            taken = min(want, self.free)
            self.free -= taken
            return taken
        finally:
            self._queue.remove(ticket)
            heapq.heapify(self._queue)
            self._announce()

    def give_back(self, count: int = 1) -> None:
        """Free slots."""
        self.free += count
        self._announce()

    def _announce(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


class Every:
    """Does a piece of work again and again; what cannot be done now is done later."""

    def __init__(
        self,
        name: str,
        period_s: float,
        work: Callable[[], Awaitable[object]],
        *,
        page: Callable[[str], Awaitable[None]],
    ) -> None:
        self.name = name
        self._period_s, self._work, self._page = period_s, work, page

    async def run(self, stop: asyncio.Event) -> None:
        """Work, then wait a period (or as long as the work took), until told to stop."""
        failures = 0
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            began = loop.time()
            try:
                await self._work()
                failures = 0
            except Exception as error:
                failures += 1
                if not passes(error):
                    log.exception("timer.failed", timer=self.name)
                if failures == _FAILURES_BEFORE_PAGE:
                    await self._page(f"timer {self.name} keeps failing: {type(error).__name__}")
            # Work that takes long may have half of the time and no more.
            pause_s = max(self._period_s, loop.time() - began)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)
