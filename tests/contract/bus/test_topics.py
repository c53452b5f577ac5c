"""Topics on a real broker: made once, told apart when re-made, closed to bombs."""

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from shared.bus.errors import BusError
from shared.bus.kafka import Bus
from shared.events.topics import ALL, PLACE_CHANGED, RECEIPT_RECEIVED
from tests.waiting import until


async def test_all_topics_are_made_and_a_second_time_nothing_happens(bus: Bus) -> None:
    await bus.create_topics()
    for topic in (ALL[0], ALL[-1]):
        assert await bus.partitions(topic)


async def test_rosters_are_compacted_and_forget_soon(bus: Bus) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bus.bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, bus.topic_name(PLACE_CHANGED), None)]
        )
    finally:
        await admin.close()
    settings = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert settings["cleanup.policy"] == "compact"
    assert int(settings["max.compaction.lag.ms"]) <= 6 * 3_600_000


async def test_a_topic_made_again_is_another_topic(bus: Bus) -> None:
    before = await bus.topic_id(RECEIPT_RECEIVED)
    assert await bus.topic_id(RECEIPT_RECEIVED) == before
    await bus.delete_topics([RECEIPT_RECEIVED])

    async def made_again() -> bool:
        try:
            await bus.create_topics([RECEIPT_RECEIVED])
            return await bus.topic_id(RECEIPT_RECEIVED) != before
        except BusError:
            return False

    await until(made_again)


@pytest.mark.shows("bad:K19")
async def test_a_compressed_bomb_is_refused_by_its_real_size(bus: Bus) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bus.bootstrap, compression_type="gzip")
    producer._max_request_size = 50_000_000
    await producer.start()
    try:
        with pytest.raises(KafkaError):
            await producer.send_and_wait(
                bus.topic_name(RECEIPT_RECEIVED), b"\0" * 20_000_000, b"key"
            )
    finally:
        await producer.stop()
    assert sum((await bus.end_offsets(RECEIPT_RECEIVED)).values()) == 0
