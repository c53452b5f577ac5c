"""A stage whose event loop is its own, so that plain functions may act on it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from services.dispatcher.delivery.timers import Timers
from shared.bus.kafka.bus import Bus
from shared.db.session import ALL_TOWNS
from tests.fakes_provider import FakeRequests
from tests.service.dispatcher.delivery.stage import Stage, open_stage


@dataclass
class World:
    """One event loop with a stage on it, shared by all sequences."""

    loop: asyncio.AbstractEventLoop
    stage: Stage
    requests: FakeRequests
    timers: Timers = field(init=False)

    def __post_init__(self) -> None:
        bus = Bus("127.0.0.1:1")
        self.timers = Timers(self.stage.database, bus=bus, requests=self.requests)

    def do(self, work: Any) -> Any:
        """Run a coroutine to its end."""
        return self.loop.run_until_complete(work)

    def within(self, verb: Any) -> Any:
        """Run a verb in a transaction of its own."""

        async def run() -> Any:
            async with self.stage.database.transaction(town=ALL_TOWNS) as tx:
                return await verb(tx)

        return self.do(run())


@contextmanager
def open_world(database: Any, keyrings: Any) -> Iterator[World]:
    """Open the stage on a database, under a loop of its own."""
    # Rules are plain functions, so that the loop is the model's own and not the test's.
    with asyncio.Runner() as runner:
        opening = open_stage(database, keyrings, pool_size=2)
        stage = runner.run(opening.__aenter__())
        yield World(runner.get_loop(), stage, FakeRequests(stage.database))
        runner.run(opening.__aexit__(None, None, None))
