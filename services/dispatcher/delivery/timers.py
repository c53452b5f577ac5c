"""Due work: what is due, lost or over, whose lease ended, and who is owed a correction."""

from services.dispatcher.delivery import store_close, store_due
from services.dispatcher.delivery.broadcasts import store as store_broadcasts
from services.dispatcher.delivery.pacing import Every
from services.dispatcher.delivery.request import Requests, Using, delivery_group
from services.dispatcher.settings import CHANNELS, PRIORITIES, Context
from shared.bus.errors import BusError
from shared.bus.kafka import Bus
from shared.bus.sweep import published_before
from shared.db.session import ALL_TOWNS, Database
from shared.events.topics import delivery_topic
from shared.service import Part

BATCH = 1_000
# A healthy worker claims what it has read long before; a row waiting longer may be lost.
GRACE_S = 30.0
PUT_BACK_S = 1.0


def timers(context: Context) -> list[Part]:
    """Return the due work of deliveries as parts of the timers' role."""
    database = context.database
    requests = Requests(context.bus, database=database, clock=context.clock)
    work = Timers(database, bus=context.bus, requests=requests)
    return [
        Using(Every(f"delivery.{name}", period_s, step, page=context.page), requests)
        for name, period_s, step in (
            ("due", 0.2, work.ask_for_due),
            ("chunks", 1.0, work.ask_for_chunks),
            ("leases", 1.0, work.end_leases),
            ("close", 1.0, work.close),
            ("corrections", 0.5, work.add_corrections),
            ("late_corrections", 60.0, work.add_late_corrections),
            ("sweep", 5.0, work.sweep),
            ("receipts", 300.0, work.close_receipts),
        )
    ]


class Timers:
    """The pieces of due work; each is a few short transactions, and publishes after them."""

    def __init__(self, database: Database, *, bus: Bus, requests: Requests) -> None:
        self._database, self._bus, self._requests = database, bus, requests

    async def ask_for_due(self) -> int:
        """Ask for the deliveries whose time has come."""
        total = 0
        while True:
            async with self._database.transaction(town=ALL_TOWNS) as tx:
                due = await store_due.take_due(tx, limit=BATCH)
            try:
                await self._requests.publish(due)
            except BusError:
                # Else only the sweeper would find them, half a minute after the bus is back.
                async with self._database.transaction(town=ALL_TOWNS) as tx:
                    ids = [one.delivery_id for one in due]
                    await store_due.put_back(tx, ids, wait_s=PUT_BACK_S)
                raise
            total += len(due)
            if len(due) < BATCH:
                return total

    async def ask_for_chunks(self) -> int:
        """Ask for the chunks whose maker did not get to it within two seconds."""
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            chunks = await store_broadcasts.unpublished_chunks(tx, limit=50)
        for chunk in chunks:
            async with self._database.transaction(town=ALL_TOWNS) as tx:
                waiting = await store_broadcasts.open_of_chunk(tx, chunk)
            await self._requests.publish_chunks(waiting, [chunk["chunk_id"]])
        return len(chunks)

    async def end_leases(self) -> int:
        """Mark what was claimed by a process that died as unknown."""
        total = 0
        while True:
            async with self._database.transaction(town=ALL_TOWNS) as tx:
                ended = await store_due.end_leases(tx, limit=BATCH)
            total += ended
            if ended < BATCH:
                return total

    async def close(self) -> int:
        """Close the open deliveries of broadcasts that were stopped or whose time is over."""
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            await store_close.expire_broadcasts(tx)
            over = await store_close.unclosed(tx)
        total = 0
        for one in over:
            closed = BATCH
            while closed == BATCH:
                async with self._database.transaction(town=ALL_TOWNS) as tx:
                    closed = await store_close.close_rows(tx, **one, limit=BATCH)
                total += closed
            async with self._database.transaction(town=ALL_TOWNS) as tx:
                await store_close.mark_closed(tx, **one)
        return total

    async def add_corrections(self, *, all_of_them: bool = False) -> int:
        """Add corrections of everything that a stopped broadcast has handed over."""
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            live = await store_broadcasts.live_corrections(tx, all_of_them=all_of_them)
        total = 0
        for one in live:
            added = BATCH
            while added == BATCH:
                async with self._database.transaction(town=ALL_TOWNS) as tx:
                    chunk_id, made = await store_broadcasts.add_corrections(
                        tx,
                        alert_id=one["alert_id"],
                        version=one["version"],
                        corrects=one["corrects_version"],
                        limit=BATCH,
                    )
                added = len(made)
                total += added
                await self._requests.publish_chunks(made, [chunk_id] if made else [])
        return total

    async def add_late_corrections(self) -> int:
        """Look again for what turned out late to have been handed over."""
        return await self.add_corrections(all_of_them=True)

    async def sweep(self, *, grace_s: float = GRACE_S) -> int:
        """Ask again for waiting deliveries that no unread record covers any more."""
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            lanes = await store_due.waiting_lanes(
                tx, channels=CHANNELS, priorities=PRIORITIES, grace_s=grace_s
            )
            asked_at = await store_due.database_time(tx)
        total = 0
        for channel, priority in lanes:
            before = await published_before(
                self._bus,
                delivery_topic(channel, priority),
                delivery_group(channel, priority),
                asked_at=asked_at,
            )
            swept = BATCH
            while swept == BATCH:
                async with self._database.transaction(town=ALL_TOWNS) as tx:
                    lost = await store_due.sweep(
                        tx,
                        channel=channel,
                        priority=priority,
                        before=before,
                        grace_s=grace_s,
                        limit=BATCH,
                    )
                await self._requests.publish(lost)
                swept = len(lost)
                total += swept
        return total

    async def close_receipts(self) -> int:
        """Stop waiting for receipts three days after the end, in small batches."""
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            over = await store_close.silent(tx, limit=BATCH)
        for one in over:
            given_up = BATCH
            while given_up == BATCH:
                async with self._database.transaction(town=ALL_TOWNS) as tx:
                    given_up = await store_close.give_up_receipts(tx, **one, limit=BATCH)
            async with self._database.transaction(town=ALL_TOWNS) as tx:
                await store_close.close_receipts(tx, **one)
        return len(over)
