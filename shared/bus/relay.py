"""Publishes a service's outbox: one fenced relay a database and lane, in id order."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from sqlalchemy import RowMapping

from shared.bus import store
from shared.bus.errors import BusUnavailable, Fenced, Refused, passes
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.producer import Producer
from shared.bus.paging import pager
from shared.db.session import Database, Tx
from shared.events.envelope import Outgoing
from shared.events.topics import topic_named
from shared.identifiers import new_id
from shared.watch.failpoints import fp
from shared.watch.logs import get_logger
from shared.watch.metrics import Counter, Gauge

log = get_logger(__name__)

relayed = Counter("ctalert_outbox_published_total", "Outbox rows published", ["service", "lane"])
leading = Gauge("ctalert_relay_leads", "1 where this process relays", ["service", "lane"])

KEEP_DAYS = 7


class SteppedDown(Exception):
    """Somebody else relays this lane now."""


class Relay:
    """One candidate for one lane of one database.

    The candidate with the advisory lock leads. It opens a producer with the lane's transactional
    id, which fences every earlier leader at the broker, and only then reads rows. A leader that
    was silent for `silent_s` has its session terminated by a standby: it loses the lock and, with
    its session, every way to mark rows.
    """

    def __init__(
        self,
        *,
        service: str,
        database: Database,
        bus: Bus,
        lane: int,
        on_page: Callable[[str], Awaitable[None]] | None = None,
        batch: int = 500,
        poll_s: float = 0.05,
        beat_s: float = 1.0,
        silent_s: float = 5.0,
    ) -> None:
        self.name = f"{service}:relay:{lane}"
        self._service = service
        self._database = database
        self._bus = bus
        self._lane = lane
        self._page = pager(on_page, service=service)
        self._batch = batch
        self._poll_s = poll_s
        self._beat_s = beat_s
        self._silent_s = silent_s
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{new_id()}"
        self._leads = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Tell whether this candidate relays the lane now."""
        return self._leads.is_set()

    async def wait_leads(self) -> None:
        """Return once this candidate relays the lane."""
        await self._leads.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Stand by, lead when the lane is free, and leave the lane free in the end."""
        while not stop.is_set():
            try:
                async with self._session() as session:
                    if await self._take_lane(session, stop):
                        await self._lead(session, stop)
            except SteppedDown:
                log.warning("relay.stepped_down", relay=self.name)
                await self._rest(stop, self._beat_s)
            except Exception as error:
                if not passes(error):
                    raise
                log.warning("relay.interrupted", relay=self.name, error=type(error).__name__)
                await self._rest(stop, self._beat_s)
            finally:
                self._leads.clear()
                leading.labels(self._service, self._lane).set(0)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Tx]:
        """Open the one session that holds the lock; it is closed, not given back to the pool."""
        async with self._database.engine.connect() as session:
            await session.execution_options(isolation_level="AUTOCOMMIT")
            try:
                yield session
            finally:
                with suppress(Exception):
                    await session.invalidate()

    async def _take_lane(self, session: Tx, stop: asyncio.Event) -> bool:
        where = {"lane": self._lane}
        while not stop.is_set():
            if await store.try_lead(session, self._service, holder=self._holder, **where):
                return True
            if await store.end_silent_holder(
                session, self._service, silent_s=self._silent_s, **where
            ):
                log.critical("relay.silent_holder_ended", relay=self.name)
                continue
            await self._rest(stop, self._beat_s / 2)
        return False

    async def _lead(self, session: Tx, stop: asyncio.Event) -> None:
        producer = self._bus.producer(
            transactional_id=f"relay.{self._service}.{self._lane}",
        )
        beating = asyncio.create_task(self._keep_beating(), name=f"{self.name}:beat")
        try:
            while not (stop.is_set() or await self._open(producer)):
                await self._rest(stop, self._beat_s)
            self._leads.set()
            leading.labels(self._service, self._lane).set(1)
            log.info("relay.leads", relay=self.name)
            await self._publish_all(session, producer, stop)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await producer.close()

    async def _publish_all(self, session: Tx, producer: Producer, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        prune_at = loop.time()
        while not stop.is_set():
            # Before the rows are read: whoever connects after reading may fence the next leader
            # and send over its newer rows. A session that was ended reads none.
            if not await self._open(producer):
                await self._rest(stop, self._beat_s / 2)
                continue
            rows = await store.waiting_rows(
                session, self._service, lane=self._lane, limit=self._batch
            )
            if rows:
                published = await self._publish(session, producer, rows)
                if not published:
                    await self._rest(stop, self._beat_s / 2)
                continue
            if loop.time() >= prune_at:
                pruned = await store.prune(session, self._service, days=KEEP_DAYS, limit=5_000)
                prune_at = loop.time() + (1.0 if pruned else 60.0)
            await self._rest(stop, self._poll_s)

    async def _open(self, producer: Producer) -> bool:
        try:
            await producer.open()
        except BusUnavailable as error:
            log.warning("relay.broker_away", relay=self.name, error=str(error))
            return False
        return True

    async def _publish(self, session: Tx, producer: Producer, rows: Sequence[RowMapping]) -> bool:
        """Send rows and mark them; False when the broker did not take them now.

        A batch is one transaction at the broker: all of it is acknowledged, or nothing of it is
        marked and all of it is sent again. So no row is ever marked whose record, or the record
        of an earlier row, was not taken.
        """
        batch: list[Outgoing] = []
        for row in rows:
            try:
                batch.append(Outgoing(topic_named(row["topic"]), row["key"], row["value"]))
            except KeyError:
                await self._set_aside(session, row, reason="no-such-topic")
                return True
        try:
            await producer.send_many(batch)
        except Refused as error:
            await self._set_aside(session, rows[error.index], reason=error.reason)
            return True
        except Fenced as error:
            raise SteppedDown from error
        except BusUnavailable as error:
            log.warning("relay.broker_away", relay=self.name, error=str(error))
            return False
        fp("bus.relay_after_ack")
        await store.mark_published(session, self._service, [row["id"] for row in rows])
        relayed.labels(self._service, self._lane).inc(len(rows))
        return True

    async def _set_aside(self, session: Tx, row: RowMapping, *, reason: str) -> None:
        await store.set_aside(session, self._service, row_id=row["id"], reason=reason)
        await self._page(
            f"outbox row set aside: {self._service} {row['id']} for {row['topic']}: {reason}"
        )

    async def _keep_beating(self) -> None:
        """Beat from another session, so that a long send is not taken for silence."""
        while True:
            try:
                async with self._database.transaction() as tx:
                    await store.beat(tx, self._service, lane=self._lane, holder=self._holder)
            except Exception as error:
                log.warning("relay.beat_failed", relay=self.name, error=type(error).__name__)
            await asyncio.sleep(self._beat_s)

    async def _rest(self, stop: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
