"""Waiting for a broker that does not know yet what the controller has decided."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.offset import OffsetRequest

T = TypeVar("T")

# As the protocol writes them: the offset of the next record, and all records counted.
_LATEST, _UNCOMMITTED = -1, 0


async def all_usable(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """Return if every topic is known and led, and every leader answers for its partitions.

    The broker that is told to lead is named before it has made the partition, and until it has,
    it refuses records.

    Raises:
        KafkaError: a retriable one: ask again.
    """
    asked: dict[int, list[tuple[str, list[tuple[int, int]]]]] = defaultdict(list)
    for topic in await admin.describe_topics(names):
        if topic["error_code"] or any(one["leader"] < 0 for one in topic["partitions"]):
            raise LeaderNotAvailableError(topic["topic"])
        for partition in topic["partitions"]:
            leader, place = partition["leader"], (partition["partition"], _LATEST)
            asked[leader].append((topic["topic"], [place]))
    for leader, places in asked.items():
        answer = await admin._client.send(leader, OffsetRequest(-1, _UNCOMMITTED, places))
        for topic, partitions in answer.topics:
            for _, error, *_ in partitions:
                if error:
                    raise for_code(error)(topic)


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
