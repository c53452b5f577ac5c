"""Waiting for a broker that does not know yet what the controller has decided."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, LeaderNotAvailableError

T = TypeVar("T")


async def all_led(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """Return if every topic is known and led.

    Raises:
        LeaderNotAvailableError: ask again.
    """
    for topic in await admin.describe_topics(names):
        if topic["error_code"] or any(one["leader"] < 0 for one in topic["partitions"]):
            raise LeaderNotAvailableError(topic["topic"])


async def all_gone(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """Return if no topic is known any more: until then a broker still takes records for it.

    Raises:
        LeaderNotAvailableError: ask again.
    """
    for topic in await admin.describe_topics(names):
        if not topic["error_code"]:
            raise LeaderNotAvailableError(topic["topic"])


async def patiently(ask: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """Ask again while the answer is that the broker is not ready yet."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            return await ask()
        except KafkaError as error:
            if not error.retriable or loop.time() > deadline:
                raise
        await asyncio.sleep(0.05)
