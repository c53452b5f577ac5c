"""Sends records: waits for every replica, never twice by its own fault, rebuilt when it breaks."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    RecordListTooLargeError,
)

from shared.bus.errors import BusUnavailable, Fenced, Refused
from shared.bus.kafka.lifetimes import retire_producer
from shared.events.envelope import Outgoing
from shared.watch.logs import get_logger

log = get_logger(__name__)

MAX_REQUEST_BYTES = 1_500_000
_NEVER = {
    MessageSizeTooLargeError: "too-large",
    RecordListTooLargeError: "too-large",
    InvalidTopicError: "invalid-topic",
}


class Producer:
    """A connection that sends; made when first needed, so that no service waits for a broker.

    With a transactional id every send_many is one transaction, and an older producer of that id
    can send nothing more once the newer one has sent or been opened. For the same reason such a
    producer, once its connection broke, sends nothing until its owner opens it again: connecting
    fences whoever has taken over meanwhile.
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        client_id: str,
        namespace: str,
        transactional_id: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._settings: dict[str, Any] = {
            "bootstrap_servers": bootstrap,
            "client_id": client_id,
            "transactional_id": transactional_id,
            "enable_idempotence": True,
            "acks": "all",
            "max_request_size": MAX_REQUEST_BYTES,
            "max_batch_size": 131_072,
            "request_timeout_ms": int(timeout_s * 1000),
            "metadata_max_age_ms": 30_000,
            "transaction_timeout_ms": 15_000,
        }
        self._prefix = f"{namespace}." if namespace else ""
        self._transactional = transactional_id is not None
        self._timeout_s = timeout_s
        self._client: AIOKafkaProducer | None = None
        self._retiring: dict[AIOKafkaProducer, asyncio.Task[None]] = {}
        self._opening = asyncio.Lock()
        self._broken = False
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect now; a transactional producer fences its predecessor by it.

        Raises:
            BusUnavailable: no broker answered in time.
        """
        self._broken = False
        await self._ready()

    async def close(self) -> None:
        """Send what is under way and disconnect."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await client.flush()
            except (TimeoutError, KafkaError, OSError) as error:
                log.info("bus.producer_gave_up", error=type(error).__name__)
            self._drop(client)
        left = list(self._retiring.values())
        if left:
            _, late = await asyncio.wait(left, timeout=self._timeout_s + 3)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def send(self, outgoing: Outgoing) -> None:
        """Send one record; the same promises as send_many."""
        await self.send_many((outgoing,))

    async def send_many(self, batch: Sequence[Outgoing]) -> None:
        """Send records in order and return when every in-sync replica has them all.

        Raises:
            BusUnavailable: some may have been sent and some not; send all again.
            Refused: one of them can never be sent.
            Fenced: another producer with our transactional id took over.
        """
        if not batch:
            return
        for index, outgoing in enumerate(batch):
            if len(outgoing.key) + len(outgoing.value or b"") + 200 > MAX_REQUEST_BYTES:
                raise Refused(index, "too-large")
        client = await self._ready()
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._transactional:
                    await self._in_transaction(client, batch)
                else:
                    _judge(await self._sent(client, batch))
        except Refused:
            raise
        except (ProducerFenced, InvalidProducerEpoch) as error:
            self._drop(client)
            raise Fenced("a newer producer of the same name sends now") from error
        except (KafkaError, TimeoutError) as error:
            self._drop(client)
            raise BusUnavailable(type(error).__name__) from error
        except asyncio.CancelledError:
            if self._transactional:
                self._drop(client)
            raise

    async def _in_transaction(self, client: AIOKafkaProducer, batch: Sequence[Outgoing]) -> None:
        await client.begin_transaction()
        outcome = await self._sent(client, batch)
        if any(isinstance(one, BaseException) for one in outcome):
            with suppress(KafkaError, AssertionError):
                await client.abort_transaction()
            _judge(outcome)
        await client.commit_transaction()

    async def _sent(self, client: AIOKafkaProducer, batch: Sequence[Outgoing]) -> list[object]:
        prefix = self._prefix
        futures = []
        try:
            for one in batch:
                futures.append(
                    await client.send(
                        prefix + one.topic.name, one.value, one.key, headers=list(one.headers)
                    )
                )
        finally:
            # Gathered even when a later send raises, so that no failure goes unobserved.
            acknowledged = asyncio.gather(*futures, return_exceptions=True)
        return list(await acknowledged)

    async def _ready(self) -> AIOKafkaProducer:
        if self._client is not None:
            return self._client
        async with self._opening:
            if self._client is None:
                if self._closed or self._broken:
                    raise BusUnavailable("the producer is closed" if self._closed else "not open")
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> AIOKafkaProducer:
        client = AIOKafkaProducer(**self._settings)
        # Never cancelled in the middle: aiokafka 0.14 forgets the connection it has just made.
        starting = asyncio.create_task(client.start())
        try:
            done, _ = await asyncio.wait([starting], timeout=self._timeout_s)
            if not done:
                raise TimeoutError
            starting.result()
        except (KafkaError, TimeoutError, OSError) as error:
            self._drop(client, starting)
            raise BusUnavailable(type(error).__name__) from error
        except asyncio.CancelledError:
            self._drop(client, starting)
            raise
        return client

    def _drop(self, client: AIOKafkaProducer, starting: "asyncio.Task[None] | None" = None) -> None:
        """Give the connection up: what it still holds was reported as failed."""
        if self._client is client:
            self._client = None
            self._broken = self._transactional
        if client not in self._retiring:
            # A request under way ends by itself within its own timeout.
            ending = retire_producer(client, starting, patience_s=self._timeout_s + 2)
            self._retiring[client] = asyncio.create_task(ending)
            self._retiring[client].add_done_callback(lambda _: self._retiring.pop(client, None))


def _judge(outcome: Sequence[object]) -> None:
    """Raise for the first record that was not taken, the hopeless before the unlucky."""
    failed = [(index, one) for index, one in enumerate(outcome) if isinstance(one, Exception)]
    for index, error in failed:
        if type(error) in _NEVER:
            raise Refused(index, _NEVER[type(error)])
    for _, error in failed:
        raise error
