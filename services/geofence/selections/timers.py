"""Forgets what has ended: keys of requests after a week, counters of rates after their window."""

import asyncio
from contextlib import suppress

from shared.db.session import Database, is_transient
from shared.watch.logs import get_logger
from shared.web.idempotency import Idempotency
from shared.web.limits import PostgresStorage

log = get_logger(__name__)

EVERY_S = 60.0


class Forgetting:
    """The part of the relay's role that tidies once a minute."""

    name = "forgetting"

    def __init__(self, *, database: Database, idempotency: Idempotency, service: str) -> None:
        self._database = database
        self._idempotency = idempotency
        self._service = service

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
        """Do one round."""
        async with self._database.transaction() as tx:
            await self._idempotency.prune(tx)
        await PostgresStorage(self._database, self._service).prune()
