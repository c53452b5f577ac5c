"""Records as raw bytes for a real broker, so that a test may send what no producer would."""

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from shared.bus.kafka import Bus
from shared.bus.lane import Patience
from shared.events.topics import Topic, delivery_topic
from tests.contract.bus.conftest import delivery, sealed

SMS = delivery_topic("sms", "urgent")
QUICK = Patience(raise_wait_s=0.001, not_yet_wait_s=0.01, transient_wait_s=0.01, dead_letter_s=0.5)


async def send_raw(
    bus: Bus, topic: Topic, records: Sequence[tuple[bytes, bytes | None, int]]
) -> None:
    """Send records as they are: key, value and how many headers."""
    producer = AIOKafkaProducer(bootstrap_servers=bus.bootstrap)
    await producer.start()
    try:
        for key, value, headers in records:
            await producer.send_and_wait(
                bus.topic_name(topic),
                value,
                key,
                partition=0,
                headers=[(f"h{n}", b"x") for n in range(headers)],
            )
    finally:
        await producer.stop()


def good_record(n: int) -> tuple[bytes, bytes | None, int]:
    """Return the n-th delivery as a record."""
    record = sealed(delivery(n))
    return record.key, record.value, 0


async def committed(bus: Bus, offset: int) -> bool:
    """Tell whether the worker has committed so far."""
    return (await bus.committed(SMS, "sms")).get(0) == offset
