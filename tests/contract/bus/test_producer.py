"""A producer on a real broker that gives up what it could not send."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.bus.kafka.bus import Bus
from shared.bus.kafka.lifetimes import retire_producer
from shared.events.topics import RECEIPT_RECEIVED
from tests.waiting import until


async def test_what_waits_for_another_try_is_given_up(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    """The request under way ends by itself, and leaves no error nobody asks for."""
    name = bus.topic_name(RECEIPT_RECEIVED)
    client = AIOKafkaProducer(
        bootstrap_servers=bus.bootstrap, enable_idempotence=True, retry_backoff_ms=1_000
    )
    await client.start()
    await client.send_and_wait(name, b"{}", partition=0)
    # The producer still knows a leader, who does not know the topic any more.
    await bus.delete_topics([RECEIPT_RECEIVED])
    given_up = await client.send(name, b"{}", partition=0)

    async def refused() -> bool:
        return "retrying" in caplog.text

    await until(refused)
    await retire_producer(client, patience_s=20)
    with pytest.raises(KafkaError, match="given up"):
        await given_up
    assert client._sender.sender_task.done()
    assert not client._sender._in_flight
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [one for one in others if "Sender" in str(one.get_coro())]
