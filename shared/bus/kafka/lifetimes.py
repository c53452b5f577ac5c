"""Beginnings and ends of aiokafka's clients: nothing is left running or open behind them."""

import asyncio
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.watch.logs import get_logger

log = get_logger(__name__)


async def start_consumer(consumer: AIOKafkaConsumer) -> None:
    """Connect a consumer so that it may be stopped again at once.

    A turn of the loop lets its tasks begin: one that is cancelled before it began makes stop()
    raise CancelledError (aiokafka 0.14).
    """
    await consumer.start()
    await asyncio.sleep(0)


async def stop_consumer(consumer: AIOKafkaConsumer, *, patience_s: float) -> None:
    """Leave the group and disconnect; where no broker answers, disconnect without a word."""
    try:
        async with asyncio.timeout(patience_s):
            await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.info("bus.left_without_word", error=type(error).__name__)
        coordinator = consumer._coordinator
        tasks = [
            getattr(coordinator, name, None)
            for name in ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
        ]
        begun = [task for task in tasks if task is not None]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        if consumer._fetcher is not None:
            await consumer._fetcher.close()
        await consumer._client.close()


async def retire_producer(
    client: AIOKafkaProducer,
    starting: "asyncio.Task[None] | None" = None,
    *,
    patience_s: float,
) -> None:
    """End a connection without sending what it still holds.

    Not stop(), which waits until all is sent. Requests under way are waited for, also those
    that a sender which died has left alone: after the close each would open a connection that
    nobody closes (aiokafka 0.14).
    """
    client._closed = True
    if starting is not None and not starting.done():
        await asyncio.wait([starting], timeout=patience_s)
        starting.cancel()
    if starting is not None:
        await asyncio.gather(starting, return_exceptions=True)
    accumulator, sender = client._message_accumulator, client._sender
    accumulator.fail_all(KafkaError("given up"))
    # What was failed is unknown there, and to queue it again, as for a broker that is not ready,
    # would end the request's task before it is off the list below (aiokafka 0.14).
    accumulator.reenqueue = _forget
    with suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(patience_s):
            if sender.sender_task is not None:
                with suppress(KafkaError):
                    await sender.close()
            while sender._in_flight:  # noqa: ASYNC110  aiokafka tells nobody when it empties
                await asyncio.sleep(0.05)
    with suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(patience_s):
            await client.client.close()


def _forget(batch: object) -> None:
    """Queue nothing again."""
