"""What the audience room hears: approved and ended alerts, and changes of the roster."""

import asyncio
from collections.abc import Mapping, Sequence

from services.geofence.audience.end_alert import end_alert
from services.geofence.audience.keep_places import keep_places
from services.geofence.audience.late_joiners import Areas
from services.geofence.audience.resolve import Resolver
from services.geofence.audience.run import Publish
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.producer import Producer
from shared.bus.message import Handler, Message, in_transaction
from shared.bus.outbox import Outbox
from shared.clock import Clock
from shared.db.session import Database
from shared.events.alert import AlertApproved
from shared.events.base import Event
from shared.events.envelope import encode
from shared.events.topics import ALERT_APPROVED, ALERT_ENDED, PLACE_CHANGED, Topic
from shared.security.signing import Signer

AUDIENCE_GROUP = "geofence.audience"
PLACES_GROUP = "geofence.places"
# The identity is looked up again after this long; a stale one only makes an index read more.
IDENTITY_S = 10.0


def audience_handlers(*, database: Database, resolver: Resolver) -> Mapping[Topic, Handler]:
    """Return what a replica does with approved and ended alerts."""

    async def approved(messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message.event, AlertApproved):
                await resolver.resolve(message.event)

    return {
        ALERT_APPROVED: approved,
        ALERT_ENDED: in_transaction(database, end_alert, town=None),
    }


def places_handlers(*, database: Database, bus: Bus, outbox: Outbox) -> Mapping[Topic, Handler]:
    """Return what keeps the place tables."""
    areas = Areas()
    identity = _Identity(bus)

    async def changed(messages: Sequence[Message]) -> None:
        topic_id = await identity.current()
        async with database.transaction() as tx:
            await keep_places(tx, messages, topic_id=topic_id, areas=areas, outbox=outbox)

    return {PLACE_CHANGED: changed}


def publisher(*, producer: Producer, signer: Signer | None, clock: Clock) -> Publish:
    """Return what signs events of a run and waits until the bus has them."""

    async def publish(events: Sequence[Event]) -> None:
        now = clock.now()
        await producer.send_many(
            [encode(event, producer="geofence", signer=signer, now=now) for event in events]
        )

    return publish


class _Identity:
    """The roster topic's identity, asked for now and then."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known = ""
        self._until = 0.0

    async def current(self) -> str:
        now = asyncio.get_running_loop().time()
        if not self._known or now >= self._until:
            self._known = await self._bus.topic_id(PLACE_CHANGED)
            self._until = now + IDENTITY_S
        return self._known
