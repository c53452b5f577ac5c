"""A provider that takes everything and sends nothing: where exercises without a provider end."""

from collections.abc import Collection
from datetime import datetime

from services.dispatcher.providers.base import Accepted, Message


class Sink:
    """Accepts under an id made from the delivery and its attempt."""

    name = "sink"
    can_look_up = True

    def __init__(self, channel: str) -> None:
        self.channel = channel

    async def send(self, message: Message) -> Accepted:
        """Accept."""
        return Accepted(f"sink-{message.delivery_id}", "accepted")

    async def look_up(
        self, message: Message, *, since: datetime, taken: Collection[str] = ()
    ) -> Accepted | None:
        """Find every message: it was accepted."""
        return await self.send(message)

    async def close(self) -> None:
        """Do nothing: there is no connection."""
