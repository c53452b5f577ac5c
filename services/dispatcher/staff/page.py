"""Waking the person on duty: one notice a reason and ten minutes, by the path of every notice."""

import re
from datetime import timedelta

import orjson

from services.dispatcher.settings import Channel
from services.dispatcher.staff import store
from shared.bus.outbox import Outbox
from shared.clock import Clock
from shared.db.session import ALL_TOWNS, Database, Tx
from shared.events.subscriber import NoticeRequested
from shared.identifiers import new_id
from shared.security.keys import KeyRing
from shared.watch.logs import get_logger
from shared.watch.metrics import pages

log = get_logger(__name__)

BRAKE_S = 600
# So many keys of one cause call each for itself within that time.
EACH = 5
LIFETIME = timedelta(minutes=30)
LONGEST = 300
# Ids and counts differ from one occurrence of a reason to the next; its words do not.
_VARYING = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|[0-9]+")


def _reason_key(reason: str) -> str:
    return _VARYING.sub("#", reason)[:LONGEST]


async def page(
    tx: Tx,
    reason: str,
    *,
    outbox: Outbox,
    keyring: KeyRing,
    clock: Clock,
    channel: Channel,
    address: str,
    key: str | None = None,
    cause: str | None = None,
) -> bool:
    """Ask for a notice to the duty address; False if this reason paged within ten minutes.

    Without a key of its own, what has the same words is the same reason. After the first few of
    one cause, the next one calls for all that follow within ten minutes.

    Raises:
        ValueError: the keyring can neither seal nor hash an address.
    """
    if keyring.sealer is None or keyring.hasher is None:
        raise ValueError("paging needs the keys that seal and hash addresses")
    if not await store.brake(tx, key or _reason_key(reason), seconds=BRAKE_S):
        return False
    if cause is not None:
        taken = await _turn(tx, cause)
        if taken is None:
            return False
        if taken == EACH:
            reason = f"there are more of these, look at the list of alerts; one is: {reason}"
    notice_id = new_id()
    hashed = keyring.hasher.hash(address)
    values = orjson.dumps({"reason": reason[:LONGEST]})
    await outbox.put(
        tx,
        NoticeRequested(
            notice_id=notice_id,
            template="duty_page",
            channel=channel,
            language="en-US",
            address_sealed=keyring.sealer.seal(address.encode(), context="address"),
            address_hash=hashed.digest.hex(),
            hash_key_id=hashed.key_id,
            values_sealed=keyring.sealer.seal(values, context=f"notice:{notice_id}"),
            expires_at=clock.now() + LIFETIME,
        ),
    )
    return True


async def _turn(tx: Tx, cause: str) -> int | None:
    """Take the next page of a cause within ten minutes and return its number; None: no more."""
    for turn in range(EACH + 1):
        if await store.brake(tx, f"{cause}:{turn}", seconds=BRAKE_S):
            return turn
    return None


class Pager:
    """Pages in a transaction of its own, callable from anywhere; or within an open one."""

    def __init__(
        self,
        database: Database,
        *,
        outbox: Outbox,
        keyring: KeyRing,
        clock: Clock,
        channel: Channel,
        address: str | None,
    ) -> None:
        self._database, self._outbox, self._keyring = database, outbox, keyring
        self._clock, self._channel, self._address = clock, channel, address

    async def __call__(self, reason: str) -> None:
        """Log, count and, where a duty address is set, page a reason; never raises."""
        self._note(reason)
        if self._address is None:
            return
        try:
            async with self._database.transaction(town=ALL_TOWNS) as tx:
                await self._page(tx, reason)
        except Exception:
            # Whoever pages is in trouble already; a page that fails must not add to it.
            log.exception("page.failed", reason=reason)

    async def within(
        self, tx: Tx, reason: str, *, key: str | None = None, cause: str | None = None
    ) -> None:
        """Page in the transaction that makes the reason true: both are committed, or neither.

        What PostgreSQL refuses is raised, for then neither can be; whoever did it tries again.
        """
        self._note(reason)
        try:
            await self._page(tx, reason, key=key, cause=cause)
        except ValueError:
            # A keyring that lacks a key lacks it the next time too, and would stop every run.
            log.exception("page.failed", reason=reason)

    def _note(self, reason: str) -> None:
        log.critical("page", reason=reason)
        pages.labels("dispatcher", _reason_key(reason)[:80]).inc()

    async def _page(
        self, tx: Tx, reason: str, *, key: str | None = None, cause: str | None = None
    ) -> None:
        if self._address is None:
            return
        await page(
            tx,
            reason,
            outbox=self._outbox,
            keyring=self._keyring,
            clock=self._clock,
            channel=self._channel,
            address=self._address,
            key=key,
            cause=cause,
        )
