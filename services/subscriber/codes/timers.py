"""Forgets what has ended: old codes, counters and request keys, sign-ups nobody confirmed."""

import asyncio
from contextlib import suppress

from services.subscriber.codes import store
from services.subscriber.roster.lapse import lapse
from services.subscriber.settings import Context
from shared.db.session import is_transient
from shared.watch.logs import get_logger
from shared.web.limits import PostgresStorage

log = get_logger(__name__)

EVERY_S = 60.0
KEEP_CODES_S = 24 * 3600


class Forgetting:
    """The part of the worker role that tidies once a minute."""

    name = "forgetting"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self, stop: asyncio.Event) -> None:
        """Tidy until told to stop; a database that is away is tried again in a minute."""
        while not stop.is_set():
            try:
                await self.tidy()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("forgetting.postponed", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_S)

    async def tidy(self) -> None:
        """Do one round, each kind in a transaction of its own."""
        database = self._context.database
        async with database.transaction() as tx:
            await store.delete_old_codes(tx, older_than_s=KEEP_CODES_S)
        async with database.transaction() as tx:
            await self._context.idempotency.prune(tx)
        await PostgresStorage(database, "subscriber").prune()
        async with database.transaction() as tx:
            lapsed = await lapse(tx)
        if lapsed:
            log.info("sign_ups.lapsed", count=lapsed)


def timers(context: Context) -> list[Forgetting]:
    """Return the timed parts of this room."""
    return [Forgetting(context)]
