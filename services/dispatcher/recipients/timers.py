"""Due work: cards that changed meanwhile, runs that are complete, members who never came."""

import asyncio

from services.dispatcher.delivery.pacing import Every
from services.dispatcher.delivery.request import Requests, Using
from services.dispatcher.recipients import store_runs
from services.dispatcher.recipients.complete import LIMIT, RECENT_S, complete
from services.dispatcher.recipients.finish_runs import finish_runs
from services.dispatcher.settings import Context
from shared.db.session import ALL_TOWNS
from shared.service import Part


def timers(context: Context) -> list[Part]:
    """Return the due work of the audience as parts of the timers' role."""
    requests = Requests(context.bus, database=context.database, clock=context.clock)

    looked_at: float | None = None

    async def complete_changed() -> None:
        # As far back as nobody has looked: all of it at first, and what an outage left.
        nonlocal looked_at
        began = asyncio.get_running_loop().time()
        recent_s = None if looked_at is None else RECENT_S + began - looked_at
        found = LIMIT
        while found == LIMIT:
            async with context.database.transaction(town=ALL_TOWNS) as tx:
                done = await complete(tx, subscribers=None, recent_s=recent_s)
            await requests.publish_chunks(done.requests, done.chunks)
            found = done.looked_at
        looked_at = began

    async def finish() -> None:
        async with context.database.transaction(town=ALL_TOWNS) as tx:
            await finish_runs(tx, page=context.page)
        # Apart: the one before may hold doors.
        async with context.database.transaction(town=ALL_TOWNS) as tx:
            await store_runs.give_up_waiting(tx, limit=LIMIT)

    async def release() -> None:
        async with context.database.transaction(town=ALL_TOWNS) as tx:
            reached = await store_runs.reached(tx)
        for alert_id, version in reached:
            async with context.database.transaction(town=ALL_TOWNS) as tx:
                await store_runs.release_reached(tx, alert_id=alert_id, version=version)

    return [
        Using(Every("recipients.complete", 1.0, complete_changed, page=context.page), requests),
        Every("recipients.finish", 1.0, finish, page=context.page),
        Every("recipients.release", 1.0, release, page=context.page),
    ]
