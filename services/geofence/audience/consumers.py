"""What the audience room hears: approved and ended alerts, and changes of the roster."""

from collections.abc import Mapping, Sequence

from services.geofence.audience.end_alert import end_alert
from services.geofence.audience.keeper import Keeper
from services.geofence.audience.resolve import Resolver
from services.geofence.audience.run import Publish
from shared.bus.kafka.producer import Producer
from shared.bus.message import Handler, Message, in_transaction
from shared.clock import Clock
from shared.db.session import Database
from shared.events.alert import AlertApproved
from shared.events.base import Event
from shared.events.envelope import encode
from shared.events.topics import ALERT_APPROVED, ALERT_ENDED, PLACE_CHANGED, Topic
from shared.security.signing import Signer

AUDIENCE_GROUP = "geofence.audience"
PLACES_GROUP = "geofence.places"


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


def places_handlers(keeper: Keeper) -> Mapping[Topic, Handler]:
    """Return what keeps the place tables."""
    return {PLACE_CHANGED: keeper.keep}


def publisher(*, producer: Producer, signer: Signer | None, clock: Clock) -> Publish:
    """Return what signs events of a run and waits until the bus has them.

    Given nothing it connects, so that the first alert need not.
    """

    async def publish(events: Sequence[Event]) -> None:
        if not events:
            await producer.open()
        now = clock.now()
        await producer.send_many(
            [encode(event, producer="geofence", signer=signer, now=now) for event in events]
        )

    return publish
