"""Puts the heartbeat of a role on the bus."""

from datetime import datetime

from shared.bus.kafka.producer import Producer
from shared.events.envelope import encode
from shared.events.operations import Heartbeat


class HeartbeatPublisher:
    """What shared/watch/heartbeat.py calls once a second."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def __call__(self, service: str, role: str, instance: str, at: datetime) -> None:
        """Send one heartbeat.

        Raises:
            BusUnavailable: the pipe is broken.
        """
        beat = Heartbeat(service=service, role=role, instance=instance, at=at)
        await self._producer.send(encode(beat, producer=service, signer=None, now=at))
