"""Puts receipts on the bus and returns when the brokers have them."""

from shared.bus.errors import BusError
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.producer import Producer
from shared.clock import Clock
from shared.events.envelope import encode
from shared.events.receipt import ReceiptReceived
from shared.web.errors import unavailable

# The provider reads for 1.5 s, then tries again: a slower answer would only double the work.
_WITHIN_S = 1.3
_RETRY_AFTER_S = 5


class Letterbox:
    """One producer for a process's receipts; it connects with the first of them."""

    def __init__(self, bus: Bus, *, clock: Clock) -> None:
        self._producer: Producer = bus.producer(timeout_s=_WITHIN_S)
        self._clock = clock

    async def put(self, receipt: ReceiptReceived) -> None:
        """Send one receipt; no database is needed.

        Raises:
            Problem: 503 when no broker took it in time; the provider tries again.
        """
        outgoing = encode(receipt, producer="dispatcher", signer=None, now=self._clock.now())
        try:
            await self._producer.send(outgoing)
        except BusError:
            raise unavailable(
                "bus-unavailable", "Receipts cannot be taken now.", _RETRY_AFTER_S
            ) from None

    async def close(self) -> None:
        """Disconnect."""
        await self._producer.close()
