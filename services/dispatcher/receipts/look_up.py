"""Asks the provider what became of sends whose outcome nobody knows, before anything is resent."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

from services.dispatcher.delivery.deliver import EXERCISE
from services.dispatcher.delivery.states import Claimed, Found
from services.dispatcher.delivery.unknown import adopt, give_up, take_unknown
from services.dispatcher.providers.base import (
    CLOCK_SLACK_S,
    Accepted,
    Message,
    Provider,
    ProviderError,
)
from services.dispatcher.receipts import store
from shared.db.session import ALL_TOWNS, Database, is_transient
from shared.watch.logs import get_logger
from shared.watch.metrics import Counter

log = get_logger(__name__)

looked_up = Counter("ctalert_look_ups_total", "Look-ups of unknown sends", ["channel", "result"])

_EVERY_S = 1.0
_AT_ONCE = 64
_PARALLEL = 8
_SLACK = timedelta(seconds=CLOCK_SLACK_S)
_MOST_CANDIDATES = 10

Compose = Callable[[Claimed], Awaitable[Message]]


class LookUp:
    """Resolves the unknown deliveries of one channel, for as long as its role runs."""

    def __init__(
        self,
        *,
        channel: str,
        database: Database,
        provider: Provider,
        compose: Compose,
        sink: Provider,
        every_s: float = _EVERY_S,
    ) -> None:
        self.name = f"look-up-{channel}"
        self._channel, self._database = channel, database
        self._provider, self._compose, self._sink = provider, compose, sink
        self._every_s = every_s

    async def run(self, stop: asyncio.Event) -> None:
        """Look up what is due, about once a second, until told to stop.

        The provider is left open: hand-overs share it, and those begun are still to end.
        """
        while not stop.is_set():
            if not await self._try():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._every_s)

    async def _try(self) -> int:
        try:
            return await self.look_up()
        except Exception as error:
            # The rows come up again after 15 s, whoever takes them; sending goes on beside it.
            if is_transient(error):
                log.warning("look_up.no_database", channel=self._channel)
            else:
                log.exception("look_up.raised", channel=self._channel)
            return 0

    async def look_up(self) -> int:
        """Look up one batch of what is due and return how many that were."""
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            taken = await take_unknown(tx, self._channel, _AT_ONCE)
        if not taken:
            return 0
        slots = asyncio.Semaphore(_PARALLEL)

        async def one(claimed: Claimed) -> tuple[Claimed, Accepted | None, bool]:
            async with slots:
                return await self._ask(self._provider_of(claimed), claimed)

        answers = await asyncio.gather(*(one(claimed) for claimed in taken))
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            await adopt(
                tx,
                [
                    Found(c.delivery_id, c.epoch, self._provider_of(c).name, accepted.sid)
                    for c, accepted, _ in answers
                    if accepted is not None
                ],
            )
            await give_up(tx, [(c.delivery_id, c.epoch) for c, _, gone in answers if gone])
        return len(taken)

    def _provider_of(self, claimed: Claimed) -> Provider:
        # Not even a question about an exercise goes to a live provider (S03).
        return self._sink if claimed.priority == EXERCISE else self._provider

    async def _ask(
        self, provider: Provider, claimed: Claimed
    ) -> tuple[Claimed, Accepted | None, bool]:
        """Return what the provider has, and whether to give the look-up up."""
        if not provider.can_look_up:
            return claimed, None, True
        try:
            message = await self._compose(claimed)
            accepted = await self._search(provider, claimed, message)
        except Exception as error:
            # It cannot tell now: asked again when the hold is over, for as long as it matters.
            looked_up.labels(self._channel, "failed").inc()
            foreseen = isinstance(error, ProviderError) or is_transient(error)
            code = error.code if isinstance(error, ProviderError) else type(error).__name__
            log.warning("look_up.failed", channel=self._channel, error=code, exc_info=not foreseen)
            return claimed, None, claimed.seconds_left <= 0
        looked_up.labels(self._channel, "found" if accepted else "none").inc()
        return claimed, accepted, accepted is None

    async def _search(
        self, provider: Provider, claimed: Claimed, message: Message
    ) -> Accepted | None:
        """Find a message that answers for this attempt and for nothing else."""
        taken: set[str] = set()
        while len(taken) < _MOST_CANDIDATES:
            since = claimed.started_at - _SLACK
            accepted = await provider.look_up(message, since=since, taken=taken)
            if accepted is None:
                return None
            async with self._database.transaction(town=ALL_TOWNS) as tx:
                bound = await store.is_bound(
                    tx,
                    provider=provider.name,
                    sid=accepted.sid,
                    delivery_id=claimed.delivery_id,
                    epoch=claimed.epoch,
                )
            if not bound:
                return accepted
            taken.add(accepted.sid)
        return None
