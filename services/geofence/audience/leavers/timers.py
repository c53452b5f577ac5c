"""Forgets where residents have been, once no alert of that time can go live any more."""

import asyncio
from contextlib import suppress

from services.geofence.audience.leavers import store
from shared.db.session import Database, is_transient
from shared.watch.logs import get_logger

log = get_logger(__name__)

EVERY_S = 600.0


class ForgettingLeft:
    """The part of the relay's role that forgets places left more than a day ago."""

    name = "forgetting-left"

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        """Forget until told to stop; a database that is away is tried again later."""
        while not stop.is_set():
            try:
                await self.forget()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("forgetting_left.postponed", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_S)

    async def forget(self) -> None:
        """Do one round."""
        more = True
        while more:
            async with self._database.transaction() as tx:
                more = await store.prune_left(tx)
