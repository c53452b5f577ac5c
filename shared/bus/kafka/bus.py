"""The way to Kafka: topics, producers, offsets; one a process and service."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.bus.errors import BusError, BusUnavailable
from shared.bus.kafka.lifetimes import start_consumer, stop_consumer
from shared.bus.kafka.metadata import TopicIdsRequest, topic_ids
from shared.bus.kafka.patience import all_gone, all_usable, patiently
from shared.bus.kafka.producer import Producer
from shared.bus.kafka.tail import M, Reader, Tail
from shared.bus.message import Message
from shared.bus.reading import read
from shared.events.topics import ALL, Topic
from shared.security.signing import Verifier
from shared.settings import Settings

_FETCH_BYTES = 2_000_000


class Bus:
    """One Kafka, seen through one namespace."""

    def __init__(
        self,
        bootstrap: str,
        *,
        namespace: str = "",
        client_id: str = "ct-alert",
        replication: int = 1,
        partitions: int = 6,
        timeout_s: float = 10.0,
    ) -> None:
        self.bootstrap = bootstrap
        self.namespace = namespace
        self.client_id = client_id
        self.timeout_s = timeout_s
        self._replication = replication
        self._partitions = partitions
        self._known: dict[str, tuple[int, ...]] = {}
        self._inspector: AIOKafkaConsumer | None = None
        self._inspecting = asyncio.Lock()

    @classmethod
    def of(cls, settings: Settings, client_id: str) -> "Bus":
        """Make the bus that the settings name."""
        return cls(
            settings.kafka_bootstrap,
            namespace=settings.bus_namespace,
            client_id=client_id,
            replication=settings.topic_replication,
            partitions=settings.topic_partitions,
        )

    def topic_name(self, topic: Topic) -> str:
        """Return the topic's name on the broker."""
        return f"{self.namespace}.{topic.name}" if self.namespace else topic.name

    def group_name(self, group: str) -> str:
        """Return the consumer group's name on the broker."""
        return f"{self.namespace}.{group}" if self.namespace else group

    def producer(
        self, *, transactional_id: str | None = None, timeout_s: float | None = None
    ) -> Producer:
        """Make a producer; it connects when first used."""
        name = self.group_name(transactional_id) if transactional_id else None
        return Producer(
            bootstrap=self.bootstrap,
            client_id=self.client_id,
            namespace=self.namespace,
            transactional_id=name,
            timeout_s=timeout_s or self.timeout_s,
        )

    def consumer(self, *, group: str | None = None, **settings: Any) -> AIOKafkaConsumer:
        """Make a consumer that never commits by itself and never jumps over what it has lost."""
        return AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            client_id=self.client_id,
            group_id=self.group_name(group) if group else None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_uncommitted",
            max_partition_fetch_bytes=_FETCH_BYTES,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            rebalance_timeout_ms=20_000,
            # A partition nobody had heard of at the join is found this soon.
            metadata_max_age_ms=5_000,
            request_timeout_ms=int(self.timeout_s * 1000),
            **settings,
        )

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        """Open a consumer without a group for as long as the block lasts.

        Raises:
            BusUnavailable: no broker answered, or not any more.
        """
        consumer = self.consumer()
        try:
            await start_consumer(consumer)
            yield consumer
        except KafkaError as error:
            raise BusUnavailable(type(error).__name__) from error
        finally:
            await stop_consumer(consumer, patience_s=self.timeout_s)

    async def create_topics(self, topics: Sequence[Topic] = ALL) -> None:
        """Create the topics that do not exist, in one request; return when all can be used.

        Raises:
            BusUnavailable: no broker answered, or a topic cannot be used in time.
            BusError: the broker refused one for another reason than that it exists.
        """
        insync = {"min.insync.replicas": "2"} if self._replication >= 3 else {}
        wanted = [
            NewTopic(
                name=self.topic_name(topic),
                num_partitions=topic.partitions or self._partitions,
                replication_factor=self._replication,
                topic_configs=topic.config() | insync,
            )
            for topic in topics
        ]
        async with self._admin() as admin:
            answer = await admin.create_topics(wanted, timeout_ms=30_000)
            for name, code, *detail in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise BusError(f"{name}: {error.__name__} {detail[0] if detail else ''}")
            names = [one.name for one in wanted]
            await patiently(lambda: all_usable(admin, names), seconds=self.timeout_s)

    async def delete_topics(self, topics: Sequence[Topic]) -> None:
        """Delete topics with everything in them; return when the broker knows them no more."""
        async with self._admin() as admin:
            names = [self.topic_name(topic) for topic in topics]
            await admin.delete_topics(names)
            await patiently(lambda: all_gone(admin, names), seconds=self.timeout_s)
        for topic in topics:
            self._known.pop(topic.name, None)

    async def topic_id(self, topic: Topic) -> str:
        """Return the topic's identity, which a re-created topic of that name does not have.

        Raises:
            BusError: there is no such topic.
        """
        name = self.topic_name(topic)
        # Over the connection kept for offsets, as a new one would cost an alert 50 ms; where it
        # is older than the broker behind it, a new one is asked.
        for is_new in (self._inspector is None, True):
            try:
                async with self._inspect() as inspector:
                    client = inspector._client
                    answer = await client.send(client.get_random_node(), TopicIdsRequest([name]))
                break
            except BusUnavailable:
                if is_new:
                    raise
        found = topic_ids(answer).get(name)
        if found is None:
            raise BusError(f"there is no topic {name}")
        # A topic made again may have more of them.
        topic_id, self._known[topic.name] = found
        return str(topic_id)

    async def partitions(self, topic: Topic) -> tuple[int, ...]:
        """Return the topic's partitions.

        Raises:
            BusError: there is no such topic.
        """
        if topic.name not in self._known:
            await self.topic_id(topic)
        return self._known[topic.name]

    async def end_offsets(self, topic: Topic) -> dict[int, int]:
        """Return per partition the offset the next record will have."""
        places = await self._places(topic)
        async with self._inspect() as inspector:
            found = await inspector.end_offsets(places)
        return {place.partition: offset for place, offset in found.items()}

    async def beginning_offsets(self, topic: Topic) -> dict[int, int]:
        """Return per partition the offset of the oldest record there still is."""
        places = await self._places(topic)
        async with self._inspect() as inspector:
            found = await inspector.beginning_offsets(places)
        return {place.partition: offset for place, offset in found.items()}

    async def committed(self, topic: Topic, group: str) -> dict[int, int]:
        """Return per partition what the group has committed; partitions without are left out."""
        places = await self._places(topic)
        async with self._admin() as admin:
            found = await patiently(
                lambda: admin.list_consumer_group_offsets(
                    self.group_name(group), partitions=places
                ),
                seconds=self.timeout_s,
            )
        return {place.partition: one.offset for place, one in found.items() if one.offset >= 0}

    async def lag(self, topic: Topic, group: str) -> int:
        """Return how many offsets the group has still to pass, transaction markers included."""
        ends = await self.end_offsets(topic)
        committed = await self.committed(topic, group)
        starts = await self.beginning_offsets(topic)
        return sum(
            max(0, end - max(committed.get(partition, 0), starts[partition]))
            for partition, end in ends.items()
        )

    async def tail(
        self,
        topic: Topic,
        *,
        from_offsets: Mapping[int, int] | None = None,
        verifier: Verifier | None = None,
        max_batch: int = 5_000,
    ) -> Tail[Message]:
        """Make a reader without a group; partitions not named start at their oldest record."""
        return await self.tail_through(
            read, topic, from_offsets=from_offsets, verifier=verifier, max_batch=max_batch
        )

    async def tail_through(
        self,
        reader: Reader[M],
        topic: Topic,
        *,
        from_offsets: Mapping[int, int] | None = None,
        verifier: Verifier | None = None,
        max_batch: int = 5_000,
    ) -> Tail[M]:
        """Make a tail that gives out what `reader` makes of each record instead of messages."""
        start = await self.beginning_offsets(topic) | dict(from_offsets or {})
        return Tail(
            self.consumer(),
            reader=reader,
            topic=topic,
            name=self.topic_name(topic),
            from_offsets=start,
            verifier=verifier,
            max_batch=max_batch,
        )

    async def close(self) -> None:
        """Close what the bus itself keeps open."""
        inspector, self._inspector = self._inspector, None
        if inspector is not None:
            await stop_consumer(inspector, patience_s=self.timeout_s)

    async def _places(self, topic: Topic) -> list[TopicPartition]:
        name = self.topic_name(topic)
        return [TopicPartition(name, one) for one in await self.partitions(topic)]

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self.bootstrap,
            client_id=self.client_id,
            request_timeout_ms=int(self.timeout_s * 1000),
        )
        try:
            async with asyncio.timeout(self.timeout_s * 4):
                await admin.start()
                yield admin
        except (KafkaError, TimeoutError, OSError) as error:
            raise BusUnavailable(type(error).__name__) from error
        finally:
            await admin.close()

    @asynccontextmanager
    async def _inspect(self) -> AsyncIterator[AIOKafkaConsumer]:
        async with self._inspecting:
            try:
                async with asyncio.timeout(self.timeout_s):
                    if self._inspector is None:
                        inspector = self.consumer()
                        self._inspector = inspector
                        await start_consumer(inspector)
                    yield self._inspector
            except (KafkaError, TimeoutError, OSError, asyncio.CancelledError) as error:
                inspector, self._inspector = self._inspector, None
                if inspector is not None:
                    await stop_consumer(inspector, patience_s=self.timeout_s)
                if isinstance(error, asyncio.CancelledError):
                    raise
                raise BusUnavailable(type(error).__name__) from error
